//! Makes a container with its networks and files, and does not start it.
//!
//! A crash may come between any two of these: made, joined to its other networks, filled with its files. What was
//! never started is therefore completed again from the second step on.

use bollard::{
    models::{ContainerInspectResponse, NetworkConnectRequest},
    query_parameters::CreateContainerOptionsBuilder,
};
use plan::{Container, Output, Phase};

use super::{
    Docker,
    container::{Resolver, body, endpoint},
    fail::{fail, status},
    files,
    lifecycle::phase_of,
    owner::{IDENTITY, labels_of, made_by_somebody_else, mark_in, mark_of, project_of},
};
use crate::{Contents, EngineError, Trouble};

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
        let version = self.client.client_version();
        let mut resolver = Resolver::new(contents, &doing, (version.major_version, version.minor_version));
        let body = body(spec, &mut resolver)?;
        let archives = files::archives(spec, contents, &doing)?;
        if !matches!(there, There::Made) {
            let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
            let made = self.client.create_container(Some(options), body).await;
            made.map_err(|error| explain_create(spec, &resolver, &doing, error))?;
        }
        self.join_networks(spec).await?;
        self.deliver(&spec.name, archives).await?;
        Ok(if matches!(there, There::Made) { Output::Unchanged } else { Output::None })
    }

    /// Joins the networks that the container is not on yet: the engine takes only one when it makes it.
    async fn join_networks(&self, spec: &Container) -> Result<(), EngineError> {
        if spec.networks.len() < 2 {
            return Ok(());
        }
        let joined =
            self.container(&spec.name).await?.and_then(|container| container.network_settings?.networks);
        let joined = joined.unwrap_or_default();
        for (name, attachment) in spec.networks.iter().filter(|(name, _)| !joined.contains_key(*name)) {
            let request = NetworkConnectRequest {
                container: spec.name.clone(),
                endpoint_config: Some(endpoint(&spec.service, attachment)),
            };
            let doing = format!("join container `{}` to network `{name}`", spec.name);
            self.client.connect_network(name, request).await.map_err(fail(doing))?;
        }
        Ok(())
    }
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

fn explain_create(
    spec: &Container,
    resolver: &Resolver<'_>,
    doing: &str,
    error: bollard::errors::Error,
) -> EngineError {
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
    struct Canary;

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
        let body = body(&spec, &mut resolver).unwrap();
        assert_eq!(body.env.unwrap(), ["PASSWORD=canary"]);
        assert_eq!(resolver.scrub("invalid: PASSWORD=canary"), "invalid: PASSWORD=[secret]");
    }

    #[test]
    fn a_start_interval_needs_an_engine_that_has_it() {
        let mut spec = container("app");
        let check = stack::Healthcheck {
            test: vec![Text::literal("NONE")],
            interval: None,
            timeout: None,
            start_period: None,
            start_interval: Some(std::time::Duration::from_secs(1)),
            retries: None,
        };
        spec.settings.healthcheck = Some(check);
        let mut old = Resolver::new(&Canary, "make it", (1, 41));
        assert_eq!(body(&spec, &mut old).unwrap_err().trouble, Trouble::Unsupported);
        assert!(body(&spec, &mut Resolver::new(&Canary, "make it", (1, 44))).is_ok());
    }
}
