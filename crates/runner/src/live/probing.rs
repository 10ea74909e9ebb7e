//! Asking services: until they are ready, while they are watched, until they have ended.

use std::time::Duration;

use host::{
    Subject,
    probe::{ask, ask_until, phase_of},
};
use plan::{Output, Phase, ProbeSeen};
use stack::{Probe, ServiceName};

use super::LiveWorld;
use crate::StepError;

/// Between two rounds of a watch.
const ROUND: Duration = Duration::from_secs(1);
/// Between two looks at a container that should end.
const LOOK: Duration = Duration::from_millis(250);

impl LiveWorld {
    /// The project's name, as the engine knows it.
    fn project(&self) -> String {
        self.place.root().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The port that probes of `service` talk to when they name none.
    fn port_of(&self, service: &ServiceName) -> Option<u16> {
        self.shape.services.get(service)?.only_port()
    }

    pub(super) async fn probe(
        &self,
        service: &ServiceName,
        container: &str,
        probes: &[Probe],
        deadline: Duration,
    ) -> Result<Output, StepError> {
        let subject = Subject { service, container, port: self.port_of(service) };
        let project = self.project();
        let engine = self.engine.as_ref();
        let phase = || phase_of(engine, &project, container);
        let (seen, attempts) = ask_until(engine, &subject, probes, deadline, phase)
            .await
            .map_err(|not_ready| StepError::because(not_ready.because()))?;
        Ok(Output::Probed { seen, attempts })
    }

    pub(super) async fn watch(
        &self,
        subjects: &[(ServiceName, String, Vec<Probe>)],
        lasting: Duration,
    ) -> Result<Output, StepError> {
        let until = tokio::time::Instant::now() + lasting;
        let mut rounds = 0;
        let mut seen = Vec::new();
        loop {
            rounds += 1;
            seen.clear();
            for (service, container, probes) in subjects {
                seen.extend(self.look_once(service, container, probes).await?);
            }
            if tokio::time::Instant::now() >= until {
                return Ok(Output::Probed { seen, attempts: rounds });
            }
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn look_once(
        &self,
        service: &ServiceName,
        container: &str,
        probes: &[Probe],
    ) -> Result<Vec<ProbeSeen>, StepError> {
        let failed = |why: String| StepError::because(vec![format!("`{service}` did not stay healthy"), why]);
        let phase = phase_of(self.engine.as_ref(), &self.project(), container)
            .await
            .map_err(|err| StepError::chain(&err))?;
        match phase {
            Some(Phase::Running { healthy: Some(false) }) => {
                return Err(failed("its health check fails".to_owned()));
            }
            Some(Phase::Running { .. }) => {}
            Some(Phase::Exited { code }) => return Err(failed(format!("it ended with {code}"))),
            Some(_) => return Err(failed("it does not run".to_owned())),
            None => return Err(failed("its container is gone".to_owned())),
        }
        let subject = Subject { service, container, port: self.port_of(service) };
        let mut seen = Vec::new();
        for probe in probes {
            seen.push(
                ask(self.engine.as_ref(), &subject, probe).await.map_err(|err| failed(err.to_string()))?,
            );
        }
        Ok(seen)
    }

    pub(super) async fn await_exit(&self, container: &str, deadline: Duration) -> Result<Output, StepError> {
        let until = tokio::time::Instant::now() + deadline;
        loop {
            let phase = phase_of(self.engine.as_ref(), &self.project(), container)
                .await
                .map_err(|err| StepError::chain(&err))?;
            match phase {
                Some(Phase::Exited { code: 0 }) => return Ok(Output::None),
                Some(Phase::Exited { code }) => {
                    return Err(StepError::failed(format!("`{container}` ended with {code}")));
                }
                None => return Err(StepError::failed(format!("`{container}` is gone"))),
                Some(_) if tokio::time::Instant::now() >= until => {
                    let waited = deadline.as_secs();
                    return Err(StepError::failed(format!("`{container}` had not ended after {waited} s")));
                }
                Some(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }
}
