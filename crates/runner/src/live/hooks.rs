//! Commands of the user's, run inside a container after it was started or before it is stopped.

use std::time::Duration;

use host::{
    Contents, ExecRequest,
    probe::{phase_of, run_to_end},
};
use plan::{Moment, Output, Phase};
use secrets::Secret;
use stack::{Hook, ServiceName, Text};

use super::LiveWorld;
use crate::{StepError, contents::ReleaseContents};

/// A hook, as a plan says it.
pub(super) struct Asked<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) container: &'a str,
    pub(super) release: u64,
    pub(super) moment: Moment,
    pub(super) hook: &'a Hook,
    pub(super) deadline: Duration,
}

impl LiveWorld {
    pub(super) async fn hook(&self, asked: Asked<'_>) -> Result<Output, StepError> {
        let Asked { service, container, release, moment, hook, deadline } = asked;
        let phase = phase_of(self.engine.as_ref(), &self.project(), container)
            .await
            .map_err(|err| StepError::chain(&err))?;
        if moment == Moment::PreStop && !matches!(phase, Some(Phase::Running { .. })) {
            return Ok(Output::Unchanged);
        }
        let request = self.request(release, hook)?;
        let what = format!("`{}` of `{service}`", moment.as_str());
        let run = run_to_end(self.engine.as_ref(), container, &request);
        match tokio::time::timeout(deadline, run).await {
            Ok(Ok((0, _))) => Ok(Output::None),
            Ok(Ok((code, said))) => {
                let mut because = vec![format!("{what} ended with {code}")];
                because.extend((!said.is_empty()).then_some(said));
                Err(StepError::because(because))
            }
            Ok(Err(err)) => Err(StepError::chain(&err)),
            Err(_) => Err(StepError::failed(format!("{what} had not ended after {} s", deadline.as_secs()))),
        }
    }

    /// The command with everything filled in that it refers to.
    fn request(&self, release: u64, hook: &Hook) -> Result<ExecRequest, StepError> {
        let (materials, versions) = self.release_contents((release > 0).then_some(release))?;
        let store = self.store();
        let contents =
            ReleaseContents { dir: &self.place, store: &store, materials: &materials, versions: &versions };
        let filled = |text: &Text| -> Result<Secret<String>, StepError> {
            contents.text(text).map_err(|err| StepError::chain(&err))
        };
        let word = |text| filled(text).map(|value| value.expose().clone());
        let variable = |(name, value): (&String, &Option<Text>)| {
            Ok((name.clone(), value.as_ref().map(filled).transpose()?))
        };
        Ok(ExecRequest {
            command: hook.command.iter().map(word).collect::<Result<_, _>>()?,
            user: hook.user.clone(),
            privileged: hook.privileged,
            working_dir: hook.working_dir.clone(),
            environment: hook.environment.iter().map(variable).collect::<Result<_, StepError>>()?,
            stdin: false,
        })
    }
}
