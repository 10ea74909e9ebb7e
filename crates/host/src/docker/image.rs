//! Makes sure that an image is there.

use bollard::{errors::Error, query_parameters::CreateImageOptionsBuilder};
use futures_util::TryStreamExt;
use plan::Output;

use super::{
    Docker,
    fail::{fail, found, status},
};
use crate::{EngineError, Trouble};

impl Docker {
    pub(super) async fn ensure_image(&self, image: &str, always: bool) -> Result<Output, EngineError> {
        if !always && self.image_id(image).await?.is_some() {
            return Ok(Output::Unchanged);
        }
        let options = CreateImageOptionsBuilder::default().from_image(&with_tag(image)).build();
        let pulled = self.client.create_image(Some(options), None, None).try_for_each(async |_| Ok(())).await;
        pulled.map_err(|error| explain_pull(image, error))?;
        let missing =
            || EngineError::new(Trouble::NotFound, format!("find image `{image}` after it was pulled"));
        Ok(Output::Image { id: self.image_id(image).await?.ok_or_else(missing)? })
    }

    pub(super) async fn image_id(&self, image: &str) -> Result<Option<String>, EngineError> {
        let found = found(self.client.inspect_image(image).await)
            .map_err(fail(format!("inspect image `{image}`")))?;
        Ok(found.and_then(|image| image.id))
    }
}

/// The reference with `:latest` where it has neither tag nor digest: without one the engine would pull every tag.
fn with_tag(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains(':') || image.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

fn explain_pull(image: &str, error: Error) -> EngineError {
    let doing = format!("pull image `{image}`");
    // Registries that hide what they hold say "denied" for what does not exist, and the engine passes it on as 404.
    let absent = status(&error) == Some(404)
        || matches!(&error, Error::DockerStreamError { error } if error.contains("not found"));
    if absent {
        return EngineError::new(Trouble::NotFound, doing).because(error).hint(
            "check the name and the tag; a private image has to be on the host already (`docker pull`)",
        );
    }
    fail(doing)(error)
        .hint("the registry could not be asked: check the network, or bring the image with `docker load`")
}

#[cfg(test)]
mod tests {
    use super::with_tag;

    #[test]
    fn a_reference_without_tag_or_digest_means_latest() {
        assert_eq!(with_tag("postgres"), "postgres:latest");
        assert_eq!(with_tag("registry:5000/app"), "registry:5000/app:latest");
        assert_eq!(with_tag("registry:5000/app:7"), "registry:5000/app:7");
        assert_eq!(with_tag("app@sha256:00"), "app@sha256:00");
    }
}
