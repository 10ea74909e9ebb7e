//! [`ModelHost`]: one machine with an engine, key stores, targets and a state directory, as far as plans can tell.

mod containers;
mod facts;
mod keys;
mod objects;
mod services;
mod sets;
mod state;

use std::time::Duration;

use plan::{Action, Effect, Entry, Moment, Output, Plan, set::SetId};
use stack::{SecretName, ServiceName, StackName, Transit};

use crate::contract;
use state::{Data, Place, State};

/// A machine that exists only in memory.
///
/// It does what actions say, refuses what a real one would refuse (a taken name, a held port, a missing image, a volume
/// in use, a network with somebody on it), and keeps time of its own: waiting moves its clock and takes none.
#[derive(Debug, Clone)]
pub struct ModelHost {
    state: State,
    faults: Vec<(usize, Fault)>,
    repeating: bool,
    calls: usize,
    dead: bool,
    done: Vec<String>,
}

/// How a service behaves once it is started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// It answers all its probes at once.
    #[default]
    Ready,
    /// It answers after so long.
    ReadyAfter(Duration),
    /// It runs and answers nothing.
    NeverReady,
    /// It answers, and its JSON fields are wrong.
    WrongJson,
    /// It ends at once with this status: a crash, or a job that is done.
    Ends {
        /// Its exit status.
        code: i64,
    },
    /// It answers at first and ends after so long.
    DiesAfter(Duration),
}

/// What goes wrong at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and nothing has happened.
    FailBefore,
    /// It fails and has happened all the same.
    FailAfter,
    /// Everything stops before it happens.
    CrashBefore,
    /// Everything stops after it has happened and before anybody is told.
    CrashAfter,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The host refused, or a service did not do as it should.
    #[error("{0}")]
    Failed(String),
    /// A person must act first.
    #[error("waiting: {0}")]
    Waiting(String),
    /// Everything has stopped: whoever asked is dead too, and writes nothing any more.
    #[error("everything has stopped")]
    Crashed,
    /// Whoever asked broke the contract: a bug, not an accident.
    #[error("contract broken: {0}")]
    Contract(String),
}

impl From<String> for Refusal {
    fn from(because: String) -> Self {
        Self::Failed(because)
    }
}

impl ModelHost {
    /// A machine on which nothing of `project` is yet.
    pub fn new(project: &str) -> Self {
        let home = StackName::from(project);
        Self {
            state: State::new(home),
            faults: Vec::new(),
            repeating: false,
            calls: 0,
            dead: false,
            done: Vec::new(),
        }
    }

    /// Does an action of a plan, as a run does: counted, announced in the journal, and with the faults a test wants.
    ///
    /// `journal` is what stands on disk now.
    ///
    /// # Errors
    /// When the host refuses, a fault strikes, or the journal does not announce it.
    pub fn act(&mut self, plan: &Plan, action: &Action, journal: &[Entry]) -> Result<Output, Refusal> {
        if self.dead {
            return Err(Refusal::Crashed);
        }
        let announced = contract::announced(plan, action, journal).map_err(Refusal::Contract)?;
        self.calls += 1;
        let call = self.calls;
        let fault = self.faults.iter().find(|(at, _)| *at == call).map(|(_, fault)| *fault);
        let strikes = format!("fault injected at call {call}, `{announced}`");
        match fault {
            Some(Fault::FailBefore) => return Err(Refusal::Failed(strikes)),
            Some(Fault::CrashBefore) => {
                self.dead = true;
                return Err(Refusal::Crashed);
            }
            _ => {}
        }
        self.done.push(announced.clone());
        let mut result = self.state.perform(action);
        if self.repeating && result.is_ok() {
            result = self.again(&announced, action);
        }
        match fault {
            Some(Fault::FailAfter) => Err(Refusal::Failed(strikes)),
            Some(Fault::CrashAfter) => {
                self.dead = true;
                Err(Refusal::Crashed)
            }
            _ => result,
        }
    }

    /// Makes one effect true, outside of any run.
    ///
    /// # Errors
    /// In words, why the engine refuses.
    pub fn apply(&mut self, effect: &Effect) -> Result<Output, String> {
        self.state.effect(effect)
    }

    /// Does one action, outside of any run.
    ///
    /// # Errors
    /// When the host refuses, or a person must act first.
    pub fn perform(&mut self, action: &Action) -> Result<Output, Refusal> {
        self.state.perform(action)
    }

    /// The second time must be as the first: no error, and nothing changed.
    fn again(&mut self, announced: &str, action: &Action) -> Result<Output, Refusal> {
        let once = self.state.timeless();
        let result = self.state.perform(action);
        match &result {
            Err(refusal) => {
                Err(Refusal::Contract(format!("`{announced}` is not safe to do twice: {refusal}")))
            }
            Ok(_) if self.state.timeless() != once => {
                Err(Refusal::Contract(format!("`{announced}` done twice differs from once")))
            }
            Ok(_) => result,
        }
    }
}

/// What a test wants of the machine.
impl ModelHost {
    /// Lets a fault strike at the `call`th call of [`ModelHost::act`], counted from 1.
    pub fn inject(&mut self, call: usize, fault: Fault) {
        self.faults.push((call, fault));
    }

    /// Makes every call twice, and refuses what differs.
    pub fn repeat_every_call(&mut self) {
        self.repeating = true;
    }

    /// After a crash: the machine is there again, as it was, and no fault is left.
    pub fn restart(&mut self) {
        self.dead = false;
        self.faults.clear();
    }

    /// Calls of [`ModelHost::act`] so far: how far a sweep goes.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Ids of the steps that touched the machine, and services that were brought back, in order.
    pub fn done(&self) -> &[String] {
        &self.done
    }

    /// Puts an image on the machine.
    pub fn with_image(mut self, image: &str) -> Self {
        self.state.images.insert(image.to_owned());
        self
    }

    /// Says that containers of an image have a volume there, named or not.
    #[must_use]
    pub fn with_image_volume(mut self, image: &str, target: &str) -> Self {
        self.state.image_volumes.entry(image.to_owned()).or_default().push(target.to_owned());
        self
    }

    /// Puts an image where it can be pulled from.
    pub fn with_published_image(mut self, image: &str) -> Self {
        self.state.published.insert(image.to_owned());
        self
    }

    /// Takes an image away from the machine.
    pub fn forget_image(&mut self, image: &str) {
        self.state.images.remove(image);
    }

    /// How often containers of an image were started.
    pub fn starts(&self, image: &str) -> u32 {
        self.state.starts.get(image).copied().unwrap_or_default()
    }

    /// How often a hook of this moment was run in one container, most of all containers.
    pub fn most_hooks(&self, moment: Moment) -> usize {
        let of = |id: u64| self.state.hooks.iter().filter(|hook| **hook == (id, moment)).count();
        self.state.hooks.iter().map(|(id, _)| of(*id)).max().unwrap_or_default()
    }

    /// Somebody else listens on a host port.
    pub fn hold_port(&mut self, port: u16, holder: &str) {
        self.state.ports_held.insert(port, holder.to_owned());
    }

    /// Somebody else's container has this name, and is attached to these networks.
    pub fn take_name(&mut self, name: &str, networks: &[&str]) {
        self.state.take_name(name, networks);
    }

    /// How containers of an image behave, or of a service whose image has no rule of its own. Rules count from the
    /// next start.
    pub fn behave(&mut self, image_or_service: &str, behaviour: Behaviour) {
        self.state.behaviours.insert(image_or_service.to_owned(), behaviour);
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.state.pass(time);
    }

    /// Turns to another project's place in the state directory: a drill's, or a restore's beside the live stack.
    pub fn turn_to(&mut self, project: &StackName) {
        self.state.acting_on = project.clone();
        self.state.places.entry(project.clone()).or_default();
    }

    /// Turns back to the place of the stack the machine was made for.
    pub fn turn_home(&mut self) {
        self.state.acting_on = self.state.home.clone();
    }

    /// The holders' shares are at hand, or not.
    pub fn give_shares(&mut self, at_hand: bool) {
        self.state.shares_at_hand = at_hand;
    }

    /// Whether the holders' shares are at hand.
    pub fn has_shares(&self) -> bool {
        self.state.shares_at_hand
    }

    /// A person gave a secret's value.
    pub fn give_secret(&mut self, name: &str) {
        self.state.place().secrets.insert(SecretName::from(name), 1);
    }

    /// Says that a service is a key store, before any step does.
    pub fn declare_key_store(&mut self, service: &ServiceName, transit: &Transit) {
        self.state.know_key_store(service, transit);
    }

    /// The application writes rows into a table, into the volume of its container.
    pub fn write_rows(&mut self, container: &str, table: &str, rows: u64) {
        let now = self.state.now;
        if let Some(data) = self.state.data_of(container) {
            *data.rows.entry(table.to_owned()).or_default() += rows;
            data.heartbeat = Some(now);
        }
    }

    /// Rows of a table in the volume of a container.
    pub fn rows(&self, container: &str, table: &str) -> Option<u64> {
        self.state.data_seen(container)?.rows.get(table).copied()
    }

    /// No target takes another byte, or they do again.
    pub fn fill_targets(&mut self, full: bool) {
        self.state.targets_full = full;
    }

    /// Flips one byte of an object of a set.
    pub fn damage(&mut self, set: &SetId) {
        if let Some(kept) = self.state.sets.get_mut(set) {
            kept.damaged = true;
        }
    }

    /// True where something of an uncommitted set lies on a target.
    pub fn has_half_a_set(&self) -> bool {
        self.state.sets.values().any(|set| set.manifest.is_none())
    }

    /// Evidence written, by set.
    pub fn evidence(&self) -> &[SetId] {
        &self.state.evidence
    }

    /// True when containers, networks, volumes with their data, releases and secrets are the same on both: what two
    /// histories must agree in. Ids and times are left out.
    pub fn looks_like(&self, other: &ModelHost) -> bool {
        self.state.looks() == other.state.looks()
    }

    /// All that [`ModelHost::looks_like`] compares, as text: what an assertion shows.
    pub fn looks(&self) -> String {
        self.state.looks()
    }

    /// Lets everything that runs be of `docker compose`: no label of ours, and no release.
    pub fn give_to_compose(&mut self) {
        for spec in self.state.containers.values_mut().filter_map(|made| made.spec.as_mut()) {
            spec.identity.clear();
            spec.labels.retain(|key, _| !key.starts_with("seaworthy."));
        }
        let place = self.state.place();
        place.releases.clear();
        (place.current, place.good) = (None, None);
    }

    /// Loses the state directory.
    pub fn lose_state_directory(&mut self) {
        self.state.places = [(self.state.home.clone(), Place::default())].into();
    }

    /// Empties a volume behind everybody's back.
    pub fn lose_data(&mut self, volume: &str) {
        self.state.data.insert(volume.to_owned(), Data::default());
    }
}
