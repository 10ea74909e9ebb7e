//! The key store's part: sealed by every start, unsealed with shares, its keys in its volume.

use plan::{
    KeyStep, Output, Phase,
    set::{Canary, KeyVersions},
};
use stack::{ServiceName, Transit};

use super::{
    Refusal,
    state::{Ring, State},
};

impl State {
    pub(crate) fn keys(
        &mut self,
        service: &ServiceName,
        container: &str,
        transit: &Transit,
        step: &KeyStep,
    ) -> Result<Output, Refusal> {
        self.know_key_store(service, transit);
        let runs = self
            .containers
            .get(container)
            .is_some_and(|made| matches!(self.phase(made), Phase::Running { .. }));
        if !runs {
            return Err(Refusal::Failed(format!("the API of `{service}` does not answer")));
        }
        match step {
            KeyStep::AwaitApi { .. } => Ok(Output::None),
            KeyStep::Bootstrap => self.hold_ceremony(container, transit),
            KeyStep::Unseal => self.unseal(service, container),
            KeyStep::List { set, after } => {
                let ring = self.open_ring(service, container)?;
                let kept = self.sets.entry(set.clone()).or_default();
                if !after {
                    kept.before = Some(ring.keys.clone());
                } else if kept.before.as_ref().is_some_and(|before| !ring.keys.covers(before)) {
                    return Err(Refusal::Failed("a key went while the set was being captured".to_owned()));
                }
                Ok(Output::Keys { list: ring.keys })
            }
            KeyStep::Canary { set } => {
                let ring = self.open_ring(service, container)?;
                let canary = Canary {
                    key: transit.key.clone(),
                    ciphertext: format!("vault:v1:ring-{}", ring.number),
                    plain_hmac: format!("hmac of {set}"),
                };
                self.sets.entry(set.clone()).or_default().canary = Some((ring.number, canary.clone()));
                Ok(Output::Canaries { canaries: vec![canary] })
            }
        }
    }

    /// Remembers that a service is a key store. A container of it that runs already, and was never asked, is sealed.
    pub(crate) fn know_key_store(&mut self, service: &ServiceName, transit: &Transit) {
        if self.key_stores.insert(service.clone(), transit.clone()).is_some() || transit.dev_token.is_some() {
            return;
        }
        for made in self.containers.values_mut() {
            if made.spec.as_ref().is_some_and(|spec| spec.service == *service) {
                made.sealed = true;
            }
        }
    }

    fn hold_ceremony(&mut self, container: &str, transit: &Transit) -> Result<Output, Refusal> {
        let first = self.data_seen(container).is_none_or(|data| data.ring.is_none());
        if first {
            let number = self.new_id();
            let data =
                self.data_of(container).ok_or_else(|| format!("there is no container `{container}`"))?;
            let versions = KeyVersions { latest: 1, min_decryption: 1 };
            let keys = plan::set::KeyList { keys: [(transit.key.clone(), versions)].into() };
            data.ring = Some(Ring { number, keys });
        }
        self.made(container)?.sealed = false;
        let issued = self.place().secrets.entry(transit.credential.clone()).or_insert(1);
        Ok(if first { Output::Secret { version: *issued } } else { Output::Unchanged })
    }

    pub(crate) fn unseal(&mut self, service: &ServiceName, container: &str) -> Result<Output, Refusal> {
        let development = self.key_stores.get(service).is_some_and(|transit| transit.dev_token.is_some());
        if development || !self.containers[container].sealed {
            return Ok(Output::Unchanged);
        }
        if self.data_seen(container).is_none_or(|data| data.ring.is_none()) {
            return Err(Refusal::Failed(format!("`{service}` was never initialised")));
        }
        if !self.shares_at_hand {
            return Err(Refusal::Waiting(format!("the key shares of `{service}`: `--shares FILE`")));
        }
        self.made(container)?.sealed = false;
        Ok(Output::None)
    }

    /// The keys of an unsealed store.
    pub(crate) fn open_ring(&self, service: &ServiceName, container: &str) -> Result<Ring, String> {
        if self.containers.get(container).is_none_or(|made| made.sealed) {
            return Err(format!("`{service}` is sealed"));
        }
        let ring = self.data_seen(container).and_then(|data| data.ring.clone());
        ring.ok_or_else(|| format!("`{service}` was never initialised"))
    }
}
