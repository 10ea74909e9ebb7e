//! Switches that make the relay misbehave on purpose, so that what looks after it can be tested.

use std::{str::FromStr, time::Duration};

/// How the relay misbehaves: nothing by default, else a comma-separated list such as `slow=20s,errors=2%`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// Ends with an error right after its migrations.
    pub crash: bool,
    /// Never says that it is ready.
    pub never_ready: bool,
    /// Answers readiness with 200 and the wrong fields.
    pub wrong_json: bool,
    /// Takes this long to start.
    pub slow: Duration,
    /// Takes this long to answer.
    pub delay: Duration,
    /// This share of answers is 500, from 0 to 1.
    pub errors: f64,
}

/// A fault that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no fault; there are crash, never-ready, wrong-json, slow=20s, delay=600ms and errors=2%")]
pub struct UnknownFault(String);

impl FromStr for Faults {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let unknown = || UnknownFault(part.to_owned());
            match part.split_once('=') {
                None if part == "crash" => faults.crash = true,
                None if part == "never-ready" => faults.never_ready = true,
                None if part == "wrong-json" => faults.wrong_json = true,
                Some(("slow", value)) => faults.slow = duration(value).ok_or_else(unknown)?,
                Some(("delay", value)) => faults.delay = duration(value).ok_or_else(unknown)?,
                Some(("errors", value)) => faults.errors = share(value).ok_or_else(unknown)?,
                _ => return Err(unknown()),
            }
        }
        Ok(faults)
    }
}

fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

fn share(text: &str) -> Option<f64> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_one_list_and_an_empty_one_means_none() {
        let faults: Faults = "slow=20s, delay=600ms,errors=2%".parse().expect("three known faults");
        let expected = Faults {
            slow: Duration::from_secs(20),
            delay: Duration::from_millis(600),
            errors: 0.02,
            ..Faults::default()
        };
        assert_eq!(faults, expected);
        assert_eq!("".parse::<Faults>().expect("no fault"), Faults::default());
    }

    #[test]
    fn an_unknown_fault_is_named_with_those_that_exist() {
        let error = "crush".parse::<Faults>().expect_err("no such fault");
        assert!(error.to_string().starts_with("`crush` is no fault; there are crash,"));
    }
}
