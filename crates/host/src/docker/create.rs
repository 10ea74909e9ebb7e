//! Makes a container with its networks and files, and does not start it.
//!
//! A crash may come between any two of these: made, joined to its other networks, filled with its files. What was
//! never started is therefore completed again from the second step on.

use bollard::{
    body_full,
    errors::Error,
    models::{ContainerCreateBody, ContainerInspectResponse, NetworkConnectRequest},
    query_parameters::CreateContainerOptionsBuilder,
};
use bytes::Bytes;
use plan::{
    Container, Output, Phase,
    needs::{self, Need},
};

use super::{
    Docker, api_socket,
    container::{Request, Resolver, request},
    credentials, endpoints,
    fail::{fail, status},
    files::{self, Read},
    lifecycle::phase_of,
    owner::{IDENTITY, labels_of, made_by_somebody_else, mark_in, mark_of, project_of},
};
use crate::{Contents, EngineError, Trouble};

/// Compose's label for the image that a container was made from.
const IMAGE: &str = "com.docker.compose.image";

/// What is there under the wanted name.
enum There {
    Nothing,
    /// Made by this very plan, and started once: complete.
    Complete,
    /// Made by this very plan, never started: perhaps half made.
    Made,
}

impl Docker {
    pub(super) async fn create(
        &self,
        spec: &Container,
        contents: &dyn Contents,
    ) -> Result<Output, EngineError> {
        let doing = format!("make container `{}`", spec.name);
        let there = there(spec, self.container(&spec.name).await?.as_ref(), &doing)?;
        if matches!(there, There::Complete) {
            return Ok(Output::Unchanged);
        }
        // Everything is looked up before anything is made.
        let mut resolver = Resolver::new(contents, &doing, self.api());
        refuse_untold(&needs::of_service(&spec.settings, resolver.api), &doing)?;
        let mut request = request(spec, &mut resolver)?;
        let socket = self.settings_of_the_client(spec, &doing).await?;
        let archives = files::archives(spec, contents, socket, &doing)?;
        if !matches!(there, There::Made) {
            // Missing, it is the engine that says so.
            let named = self.image_id(&spec.settings.image).await?;
            // The very image is named as its release names it, while that means it.
            if let Some(id) = spec.image_id.as_ref().filter(|id| named.as_ref() != Some(id)) {
                request.body.image = Some(id.clone());
            }
            if let Some(image) = spec.image_id.clone().or(named) {
                request.body.labels.get_or_insert_default().insert(IMAGE.to_owned(), image);
            }
            let made = self.create_container(spec, request).await;
            made.map_err(|error| explain_create(spec, &resolver, &doing, error))?;
        }
        self.join_networks(spec, resolver.api).await?;
        self.deliver(&spec.name, archives).await?;
        Ok(if matches!(there, There::Made) { Output::Unchanged } else { Output::None })
    }

    /// The settings of a Docker client, for a container that is given the engine's socket.
    async fn settings_of_the_client(&self, spec: &Container, doing: &str) -> Result<Vec<Read>, EngineError> {
        let Some(file) = api_socket::settings(&spec.settings) else { return Ok(Vec::new()) };
        let all = self.registries.all().await;
        let all = all.map_err(|error| EngineError::new(Trouble::Denied, doing).because(error))?;
        Ok(vec![(file, credentials::settings_file(&all))])
    }

    async fn create_container(&self, spec: &Container, request: Request) -> Result<(), Error> {
        let platform = spec.settings.platform.as_deref().unwrap_or_default();
        let options = CreateContainerOptionsBuilder::default().name(&spec.name).platform(platform).build();
        let Request { body, mac_address } = request;
        let client = match mac_address {
            Some(address) => telling(&self.client, with_mac_address(&body, address)),
            None => self.client.clone(),
        };
        client.create_container(Some(options), body).await.map(|_| ())
    }

    /// Joins the networks that the engine did not take when it made the container, and that it is not on yet.
    async fn join_networks(&self, spec: &Container, api: (usize, usize)) -> Result<(), EngineError> {
        let networks = endpoints::afterwards(spec, api);
        if networks.is_empty() {
            return Ok(());
        }
        let joined =
            self.container(&spec.name).await?.and_then(|container| container.network_settings?.networks);
        let joined = joined.unwrap_or_default();
        for (name, endpoint) in networks.into_iter().filter(|(name, _)| !joined.contains_key(*name)) {
            let request =
                NetworkConnectRequest { container: spec.name.clone(), endpoint_config: Some(endpoint) };
            let doing = format!("join container `{}` to network `{name}`", spec.name);
            self.client.connect_network(name, request).await.map_err(fail(doing))?;
        }
        Ok(())
    }
}

/// The plan was refused already where the engine was looked at first; here nobody can have forgotten to look.
pub(super) fn refuse_untold(needs: &[Need], doing: &str) -> Result<(), EngineError> {
    match needs.first() {
        None => Ok(()),
        Some(need) => Err(EngineError::new(Trouble::Unsupported, doing)
            .because(format!("this engine cannot be told of `{}`", need.key))
            .hint(format!("needs {}", need.engine()))),
    }
}

/// The body with the one field that the client's types no longer have.
fn with_mac_address(body: &ContainerCreateBody, address: String) -> Bytes {
    let mut body = serde_json::to_value(body).expect("plain values always serialise");
    body["MacAddress"] = address.into();
    Bytes::from(body.to_string())
}

/// A client whose requests say this, whatever they are given.
fn telling(client: &bollard::Docker, body: Bytes) -> bollard::Docker {
    client.clone().with_request_modifier(move |request| request.map(|_| body_full(body.clone())))
}

fn there(
    spec: &Container,
    container: Option<&ContainerInspectResponse>,
    doing: &str,
) -> Result<There, EngineError> {
    let Some(container) = container else { return Ok(There::Nothing) };
    let labels = labels_of(container);
    let project = project_of(labels);
    if project != spec.stack.as_str() {
        let because = match project {
            "" => "a container of that name is there and belongs to no stack".to_owned(),
            other => format!("a container of that name is there and belongs to stack `{other}`"),
        };
        return Err(EngineError::new(Trouble::Conflict, doing)
            .because(because)
            .hint("rename or remove the other one, or give ours another `container_name:`"));
    }
    // Another one made from the same is still another one: taking this plan back must not remove it.
    let ours = labels.and_then(|labels| labels.get(IDENTITY)) == Some(&spec.identity)
        && mark_of(labels) == mark_in(&spec.labels);
    match phase_of(container) {
        _ if !ours => Err(made_by_somebody_else(doing)),
        Phase::Created => Ok(There::Made),
        _ => Ok(There::Complete),
    }
}

fn explain_create(spec: &Container, resolver: &Resolver<'_>, doing: &str, error: Error) -> EngineError {
    let hint = (status(&error) == Some(404))
        .then(|| format!("image `{}` or one of its networks is not on the host", spec.settings.image));
    // The engine may quote what it was told, environment included.
    let said = resolver.scrub(&error.to_string());
    let error = EngineError { source: Some(said.into()), ..fail(doing)(error) };
    EngineError { hint, ..error }
}

#[cfg(test)]
pub(in crate::docker) mod tests {
    use std::{collections::BTreeMap, path::PathBuf};

    use plan::{Delivered, Mark};
    use secrets::Secret;
    use stack::{ContentId, FileSource, Part, Service, Text};

    use super::*;
    use crate::ContentsError;

    /// A container of stack `shop` with nothing special about it.
    pub(in crate::docker) fn container(service: &str) -> Container {
        Container {
            image_id: None,
            name: format!("shop-{service}-1"),
            stack: "shop".into(),
            service: service.into(),
            number: 1,
            release: 1,
            identity: "i1".into(),
            settings: Service { image: "app:1".into(), ..Service::default() },
            networks: BTreeMap::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    /// A file of root's.
    pub(in crate::docker) fn delivered(target: &str, mode: u32) -> Delivered {
        let source = FileSource::Content { content: ContentId("c1".into()), label: "inline".into() };
        Delivered { target: target.into(), source, version: None, uid: 0, gid: 0, mode }
    }

    /// Every text is the word `canary`.
    pub(in crate::docker) struct Canary;

    impl Contents for Canary {
        fn text(&self, _: &Text) -> Result<Secret<String>, ContentsError> {
            Ok(Secret::from("canary"))
        }

        fn file(&self, _: &Delivered) -> Result<Secret<Vec<u8>>, ContentsError> {
            Ok(Secret::new(b"canary".to_vec()))
        }

        fn kept(&self, content: &ContentId) -> Result<PathBuf, ContentsError> {
            Ok(PathBuf::from("/kept").join(&content.0))
        }
    }

    fn seen(project: &str, identity: &str, mark: &str, status: &str) -> ContainerInspectResponse {
        let labels = serde_json::json!({
            "com.docker.compose.project": project,
            "seaworthy.identity": identity,
            "seaworthy.made-by": mark,
        });
        let text = serde_json::json!({ "State": { "Status": status }, "Config": { "Labels": labels } });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn what_is_there_under_the_name_decides() {
        let mut spec = container("app");
        Mark("m1".into()).put_on(&mut spec.labels);
        let check = |seen: &ContainerInspectResponse| there(&spec, Some(seen), "make it");
        assert!(matches!(check(&seen("shop", "i1", "m1", "running")), Ok(There::Complete)));
        assert!(matches!(check(&seen("shop", "i1", "m1", "exited")), Ok(There::Complete)));
        assert!(matches!(check(&seen("shop", "i1", "m1", "created")), Ok(There::Made)));
        let refused = [
            (seen("other", "i1", "m1", "created"), "stack `other`"),
            (seen("", "i1", "m1", "created"), "belongs to no stack"),
            (seen("shop", "i0", "m0", "created"), "made by somebody else"),
            (seen("shop", "i1", "m0", "created"), "made by somebody else"),
            (seen("shop", "i1", "m0", "running"), "made by somebody else"),
        ];
        for (seen, because) in refused {
            let error = check(&seen).map(|_| ()).unwrap_err();
            assert_eq!(error.trouble, Trouble::Conflict);
            assert!(error.source.unwrap().to_string().contains(because), "{because}");
        }
    }

    #[test]
    fn what_the_engine_quotes_is_scrubbed_of_secrets() {
        let mut spec = container("app");
        let password = Text(vec![Part::Literal("p=".into()), Part::Secret("db".into())]);
        spec.settings.environment.insert("PASSWORD".into(), Some(password));
        let mut resolver = Resolver::new(&Canary, "make it", (1, 41));
        let request = request(&spec, &mut resolver).unwrap();
        assert_eq!(request.body.env.unwrap(), ["PASSWORD=canary"]);
        assert_eq!(resolver.scrub("invalid: PASSWORD=canary"), "invalid: PASSWORD=[secret]");
    }

    #[test]
    fn what_this_engine_cannot_be_told_is_refused_before_anything_is_made() {
        let mut spec = container("app");
        spec.settings.annotations.insert("blue".into(), "yes".into());
        let refuse = |api| refuse_untold(&needs::of_service(&spec.settings, api), "make it");
        let error = refuse((1, 42)).unwrap_err();
        assert_eq!(error.trouble, Trouble::Unsupported);
        assert_eq!(error.source.unwrap().to_string(), "this engine cannot be told of `annotations`");
        assert_eq!(error.hint.as_deref(), Some("needs Docker 24 (API 1.43)"));
        assert!(refuse((1, 43)).is_ok());
    }
}
