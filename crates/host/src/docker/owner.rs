//! Whose a container, network or volume is: the label that decides what may be touched.

use std::collections::{BTreeMap, HashMap};

use bollard::models::ContainerInspectResponse;
use plan::Mark;

use super::{
    Docker,
    fail::{fail, found},
};
use crate::{EngineError, Trouble};

/// Compose's label for the project something belongs to.
pub(super) const PROJECT: &str = "com.docker.compose.project";

/// Our label for what a container was made from.
pub(super) const IDENTITY: &str = "seaworthy.identity";

/// Our label for where a container has volumes that hold nothing but the files delivered into it, one path a line. They
/// go with it: nobody else may find a secret in them.
pub(super) const PRIVATE: &str = "seaworthy.private";

/// Whether a volume of a container at this place holds nothing but files delivered into it.
pub(super) fn is_private(labels: Option<&HashMap<String, String>>, target: &str) -> bool {
    let said = labels.and_then(|labels| labels.get(PRIVATE));
    said.is_some_and(|said| said.lines().any(|private| private == target))
}

/// The project that labels name; empty: nobody's.
pub(super) fn project_of(labels: Option<&HashMap<String, String>>) -> &str {
    labels.and_then(|labels| labels.get(PROJECT)).map_or("", String::as_str)
}

/// The labels of an inspected container.
pub(super) fn labels_of(container: &ContainerInspectResponse) -> Option<&HashMap<String, String>> {
    container.config.as_ref()?.labels.as_ref()
}

/// The mark that labels carry.
pub(super) fn mark_of(labels: Option<&HashMap<String, String>>) -> Option<&str> {
    labels.and_then(|labels| labels.get(Mark::LABEL)).map(String::as_str)
}

/// The mark that a plan gave.
pub(super) fn mark_in(labels: &BTreeMap<String, String>) -> Option<&str> {
    labels.get(Mark::LABEL).map(String::as_str)
}

/// What bears the name is not what this plan made.
pub(super) fn made_by_somebody_else(doing: impl Into<String>) -> EngineError {
    EngineError::new(Trouble::Conflict, doing)
        .because("one of that name is there, and was made by somebody else since this was planned")
        .hint("the same verb typed again plans with it")
}

/// Refuses to touch what belongs to no stack.
pub(super) fn refuse_unowned(project: &str, doing: &str) -> Result<(), EngineError> {
    if !project.is_empty() {
        return Ok(());
    }
    Err(EngineError::new(Trouble::Conflict, doing)
        .because(format!("it carries no `{PROJECT}` label, so no stack made it"))
        .hint("what no stack made is never changed or removed; do it by hand if it must be"))
}

impl Docker {
    /// The container of exactly this name; the engine would also take the beginning of an id.
    pub(super) async fn container(
        &self,
        name: &str,
    ) -> Result<Option<ContainerInspectResponse>, EngineError> {
        let container = found(self.client.inspect_container(name, None).await);
        let container = container.map_err(fail(format!("inspect container `{name}`")))?;
        Ok(container
            .filter(|found| found.name.as_deref().map(|found| found.trim_start_matches('/')) == Some(name)))
    }

    /// The same, refused when it belongs to no stack.
    pub(super) async fn owned_container(
        &self,
        name: &str,
        doing: &str,
    ) -> Result<Option<ContainerInspectResponse>, EngineError> {
        let container = self.container(name).await?;
        if let Some(container) = &container {
            refuse_unowned(project_of(labels_of(container)), doing)?;
        }
        Ok(container)
    }

    /// The same, where it has to be there.
    pub(super) async fn present_container(
        &self,
        name: &str,
        doing: &str,
    ) -> Result<ContainerInspectResponse, EngineError> {
        self.owned_container(name, doing)
            .await?
            .ok_or_else(|| EngineError::new(Trouble::NotFound, doing).because("there is no such container"))
    }
}
