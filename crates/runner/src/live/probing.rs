//! Asking services: until they are ready, while they are watched, until they have ended.

use std::time::Duration;

use host::{
    Subject,
    probe::{ask, ask_until, phase_of},
};
use plan::{Output, Phase, ProbeSeen};
use stack::{Probe, ServiceName};
use tokio::time::Instant;

use super::LiveWorld;
use crate::StepError;

/// Between two rounds of a watch.
const ROUND: Duration = Duration::from_secs(1);
/// Between two looks at a container that should end.
const LOOK: Duration = Duration::from_millis(250);

/// What each probe of a container said last, and when.
type Heard = Vec<Option<(Instant, ProbeSeen)>>;

impl LiveWorld {
    /// The project's name, as the engine knows it.
    pub(super) fn project(&self) -> String {
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
        let until = Instant::now() + lasting;
        let mut rounds = 0;
        let mut heard: Vec<Heard> = subjects.iter().map(|(_, _, probes)| vec![None; probes.len()]).collect();
        loop {
            rounds += 1;
            let last = Instant::now() >= until;
            for ((service, container, probes), heard) in subjects.iter().zip(&mut heard) {
                if last {
                    heard.fill(None);
                }
                self.look_once(service, container, probes, heard).await?;
            }
            if last {
                let seen = heard.into_iter().flatten().flatten().map(|(_, seen)| seen).collect();
                return Ok(Output::Probed { seen, attempts: rounds });
            }
            tokio::time::sleep(ROUND.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Looks at a container, and asks those of its probes whose interval has passed since they were heard.
    async fn look_once(
        &self,
        service: &ServiceName,
        container: &str,
        probes: &[Probe],
        heard: &mut Heard,
    ) -> Result<(), StepError> {
        let failed = |why: String| StepError::because(vec![format!("`{service}` did not stay healthy"), why]);
        let phase = phase_of(self.engine.as_ref(), &self.project(), container)
            .await
            .map_err(|err| StepError::chain(&err))?;
        match phase {
            Some(phase) if phase.is_well() => {}
            Some(phase) => return Err(failed(format!("it is {}", phase.in_words()))),
            None => return Err(failed("its container is gone".to_owned())),
        }
        let subject = Subject { service, container, port: self.port_of(service) };
        for (probe, heard) in probes.iter().zip(heard) {
            let due = |since: Instant| since.elapsed() >= probe.interval.unwrap_or_default();
            if heard.as_ref().is_none_or(|(since, _)| due(*since)) {
                let seen = ask(self.engine.as_ref(), &subject, probe).await;
                *heard = Some((Instant::now(), seen.map_err(|err| failed(err.to_string()))?));
            }
        }
        Ok(())
    }

    pub(super) async fn await_exit(&self, container: &str, deadline: Duration) -> Result<Output, StepError> {
        let until = Instant::now() + deadline;
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
                Some(_) if Instant::now() >= until => {
                    let waited = diag::duration(deadline);
                    return Err(StepError::failed(format!("`{container}` had not ended after {waited}")));
                }
                Some(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }
}
