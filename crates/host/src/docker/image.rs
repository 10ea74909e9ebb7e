//! Makes sure that an image is there.

use bollard::{errors::Error, models::ImageInspect, query_parameters::CreateImageOptionsBuilder};
use futures_util::{TryStreamExt, future};
use hyper::header::HeaderValue;
use plan::Output;
use secrets::Secret;

use super::{
    Docker,
    fail::{fail, found, status},
    meanwhile::Pulled,
};
use crate::{EngineError, Trouble};

/// How an image is to be had.
pub(super) struct Wanted<'a> {
    /// Reference as written.
    pub(super) image: &'a str,
    /// Of which platform; nothing: the engine's own.
    pub(super) platform: Option<&'a str>,
    /// Pulled even when it is there.
    pub(super) always: bool,
}

impl Docker {
    pub(super) async fn ensure_image(&self, wanted: Wanted<'_>) -> Result<Output, EngineError> {
        let Wanted { image, platform, always } = wanted;
        let there = self.image_id(image).await?;
        if there.is_some() && !always {
            return Ok(Output::Unchanged);
        }
        let credential = self.registries.of_image(image).await;
        let credential = credential.map_err(|error| {
            EngineError::new(Trouble::Denied, format!("find the credential for image `{image}`"))
                .because(error)
                .hint("`docker login` writes it anew; `docker logout` removes it")
        })?;
        let known = credential.is_some();
        let credential = credential.map(|credential| ("X-Registry-Auth", credential.header(image)));
        let client = saying(self.client.clone(), credential, "");
        let options = CreateImageOptionsBuilder::default()
            // Without a tag the engine would pull every one.
            .from_image(&stack::image::tagged(image))
            .platform(platform.unwrap_or_default())
            .build();
        let mut come = Pulled::default();
        let pulled = client.create_image(Some(options), None, None).try_for_each(|said| {
            if let Some(words) = come.take(&said) {
                (self.listener.0)(words);
            }
            future::ready(Ok(()))
        });
        let pulled = pulled.await;
        pulled.map_err(|error| explain_pull(image, known, error))?;
        let missing =
            || EngineError::new(Trouble::NotFound, format!("find image `{image}` after it was pulled"));
        let id = self.image_id(image).await?.ok_or_else(missing)?;
        Ok(if there.as_ref() == Some(&id) { Output::Unchanged } else { Output::Image { id } })
    }

    /// Makes sure that the image of this id is there. What never came from a registry cannot come again.
    pub(super) async fn ensure_very_image(
        &self,
        wanted: Wanted<'_>,
        id: &str,
    ) -> Result<Output, EngineError> {
        if self.image_id(id).await?.is_some() {
            return Ok(Output::Unchanged);
        }
        let image = wanted.image;
        let gone = || {
            let what = format!("find the image that `{image}` was when the release was made: {id}");
            EngineError::new(Trouble::NotFound, what)
        };
        if !image.contains('@') {
            return Err(gone().hint("it came from no registry: build or load it again, and deploy its files"));
        }
        self.ensure_image(wanted).await?;
        match self.image_id(id).await? {
            Some(id) => Ok(Output::Image { id }),
            None => Err(gone().hint("the registry gave another one under its digest")),
        }
    }

    pub(super) async fn image_id(&self, image: &str) -> Result<Option<String>, EngineError> {
        Ok(self.image(image).await?.and_then(|image| image.id))
    }

    /// What the engine has under a name, or an id.
    pub(super) async fn image(&self, image: &str) -> Result<Option<ImageInspect>, EngineError> {
        found(self.client.inspect_image(image).await).map_err(fail(format!("inspect image `{image}`")))
    }
}

/// A client whose requests carry a credential, and say this more in their query. The client's own way encodes a
/// credential in an alphabet that engines do not read.
pub(super) fn saying(
    client: bollard::Docker,
    credential: Option<(&'static str, Secret<String>)>,
    query: &str,
) -> bollard::Docker {
    let header = credential.map(|(name, value)| {
        let mut value = HeaderValue::from_str(value.expose()).expect("base64 is a header's value");
        // Whatever prints the request leaves it out.
        value.set_sensitive(true);
        (name, value)
    });
    let query = query.to_owned();
    client.with_request_modifier(move |mut request| {
        if let Some((name, value)) = &header {
            request.headers_mut().insert(*name, value.clone());
        }
        if let Ok(uri) = format!("{}{query}", request.uri()).parse() {
            *request.uri_mut() = uri;
        }
        request
    })
}

fn explain_pull(image: &str, known: bool, error: Error) -> EngineError {
    let doing = format!("pull image `{image}`");
    let words = error.to_string();
    let said = |word| words.contains(word);
    // Registries that hide what they hold say "denied" for what does not exist, and the engine passes it on as 404.
    let absent = status(&error) == Some(404) || said("not found");
    let denied = said("unauthorized") || said("denied") || said("no basic auth credentials");
    if absent || denied {
        let hint = match known {
            true => "check the name, the tag, and whether this registry\'s user may read it",
            false => "check the name and the tag; for a private image, `docker login` to its registry first",
        };
        let trouble = if absent { Trouble::NotFound } else { Trouble::Denied };
        return EngineError::new(trouble, doing).because(error).hint(hint);
    }
    fail(doing)(error)
        .hint("the registry could not be asked: check the network, or bring the image with `docker load`")
}
