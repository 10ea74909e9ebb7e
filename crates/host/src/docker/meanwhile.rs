//! What is heard of something long while it goes on.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bollard::models::CreateImageInfo;

/// Hears a few words now and then; what they replace is what they said before.
#[derive(Clone)]
pub(super) struct Listener(pub(super) Arc<dyn Fn(&str) + Send + Sync>);

impl Default for Listener {
    /// Nobody.
    fn default() -> Self {
        Self(Arc::new(|_| {}))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Listener")
    }
}

/// How far a pull has come: its layers come side by side.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    /// Bytes that came, and that there are, by layer.
    layers: BTreeMap<String, (i64, i64)>,
    said: String,
}

impl Pulled {
    /// Takes what the engine said; gives new words where there are any.
    pub(super) fn take(&mut self, said: &CreateImageInfo) -> Option<&str> {
        let (id, detail) = (said.id.as_ref()?, said.progress_detail.as_ref());
        let layer = self.layers.entry(id.clone()).or_default();
        match (said.status.as_deref(), detail.and_then(|detail| Some((detail.current?, detail.total?)))) {
            (Some("Downloading"), Some(progress)) => *layer = progress,
            (Some("Download complete" | "Pull complete" | "Extracting"), _) => layer.0 = layer.1,
            _ => {}
        }
        let sum = |part: fn(&(i64, i64)) -> i64| self.layers.values().map(part).sum::<i64>();
        let (came, all) = (sum(|layer| layer.0), sum(|layer| layer.1));
        let words = format!("{} of {} MB", came / 1_000_000, (all + 999_999) / 1_000_000);
        if all == 0 || words == self.said {
            return None;
        }
        self.said = words;
        Some(&self.said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_counted_together_and_nothing_is_said_twice() {
        let said = [
            r#"{"status":"Pulling from app","id":"1"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"a"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":1000000,"total":8000000},"id":"a"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":1000001,"total":8000000},"id":"a"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":500000,"total":1500000},"id":"b"}"#,
            r#"{"status":"Download complete","progressDetail":{},"id":"a"}"#,
            r#"{"status":"Extracting","progressDetail":{"current":1,"total":8000000},"id":"a"}"#,
            r#"{"status":"Download complete","progressDetail":{},"id":"b"}"#,
        ];
        let mut pulled = Pulled::default();
        let heard: Vec<String> = said
            .iter()
            .filter_map(|said| pulled.take(&serde_json::from_str(said).unwrap()).map(str::to_owned))
            .collect();
        assert_eq!(heard, ["1 of 8 MB", "1 of 10 MB", "8 of 10 MB", "9 of 10 MB"]);
    }
}
