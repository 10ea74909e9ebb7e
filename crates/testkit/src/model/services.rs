//! How modelled services answer.

use std::time::Duration;

use plan::{Moment, Output, Phase, ProbeSeen};
use stack::{Probe, ProbeKind, ServiceName};

use super::{
    Behaviour,
    state::{Made, Run, State},
};

impl State {
    /// Waits until it answers: the clock moves on to that instant, or to the deadline.
    pub(crate) fn probe(
        &mut self,
        service: &ServiceName,
        container: &str,
        probes: &[Probe],
        deadline: Duration,
    ) -> Result<Output, String> {
        let made = self.made(container)?;
        let patience = match (&made.behaviour, made.run) {
            (Behaviour::ReadyAfter(delay), Run::Started { .. }) => (*delay).min(deadline),
            _ => Duration::ZERO,
        };
        self.pass(patience);
        let seen = self.ask(container, probes).map_err(|saw| {
            self.pass(deadline.saturating_sub(patience));
            format!("`{service}` did not become ready: {saw}")
        })?;
        Ok(Output::Probed { seen, attempts: 1 })
    }

    pub(crate) fn watch(
        &mut self,
        subjects: &[(ServiceName, String, Vec<Probe>)],
        lasting: Duration,
    ) -> Result<Output, String> {
        let mut seen = Vec::new();
        for wait in [Duration::ZERO, lasting] {
            self.pass(wait);
            seen.clear();
            for (service, container, probes) in subjects {
                let answers = self.ask(container, probes);
                seen.extend(answers.map_err(|saw| format!("`{service}` did not stay healthy: {saw}"))?);
            }
        }
        Ok(Output::Probed { seen, attempts: 2 })
    }

    pub(crate) fn await_exit(&mut self, container: &str, deadline: Duration) -> Result<Output, String> {
        let phase = self.containers.get(container).map(|made| self.phase(made));
        match phase {
            Some(Phase::Exited { code: 0 }) => Ok(Output::None),
            Some(Phase::Exited { code }) => Err(format!("`{container}` ended with {code}")),
            Some(_) => {
                self.pass(deadline);
                Err(format!("`{container}` had not ended after {}", diag::duration(deadline)))
            }
            None => Err(format!("`{container}` is gone")),
        }
    }

    /// Runs a hook: inside a container that runs. One that does not is past its `pre_stop`.
    pub(crate) fn hook(
        &mut self,
        service: &ServiceName,
        container: &str,
        moment: Moment,
    ) -> Result<Output, String> {
        let made = self.made(container)?;
        let id = made.id;
        let runs = matches!(self.phase(&self.containers[container]), Phase::Running { .. });
        match moment {
            Moment::PreStop if !runs => Ok(Output::Unchanged),
            Moment::PostStart if !runs => Err(format!("`{service}` does not run, and its hook runs in it")),
            _ => {
                self.hooks.push((id, moment));
                Ok(Output::None)
            }
        }
    }

    fn ask(&self, container: &str, probes: &[Probe]) -> Result<Vec<ProbeSeen>, String> {
        let made = self.containers.get(container).ok_or("its container is gone")?;
        match self.phase(made) {
            Phase::Running { .. } => {}
            Phase::Exited { code } => return Err(format!("it ended with {code}")),
            other => return Err(format!("it is {other:?}").to_lowercase()),
        }
        if probes.is_empty() {
            let (probe, saw) = (format!("state of {container}"), "running".to_owned());
            return Ok(vec![ProbeSeen { probe, saw, degraded: false }]);
        }
        probes.iter().map(|probe| self.answer(container, made, &probe.kind)).collect()
    }

    fn answer(&self, container: &str, made: &Made, kind: &ProbeKind) -> Result<ProbeSeen, String> {
        let late = |delay: Duration| match made.run {
            Run::Started { at } => at.checked_add(delay).is_ok_and(|ready| ready > self.now),
            Run::Created | Run::Stopped { .. } => true,
        };
        match (&made.behaviour, kind) {
            (Behaviour::NeverReady, _) => return Err("connection refused".to_owned()),
            (Behaviour::ReadyAfter(delay), _) if late(*delay) => return Err("connection refused".to_owned()),
            (Behaviour::WrongJson, ProbeKind::Http { json, .. }) if !json.is_empty() => {
                let fields: Vec<&str> = json.keys().map(String::as_str).collect();
                return Err(format!("200, {} is \"wrong\"", fields.join(" and ")));
            }
            (_, ProbeKind::Http { .. }) if made.sealed => return Err("503, it is sealed".to_owned()),
            _ => {}
        }
        let (probe, saw) = (format!("probe of {container}"), "as it should be".to_owned());
        Ok(ProbeSeen { probe, saw, degraded: false })
    }
}
