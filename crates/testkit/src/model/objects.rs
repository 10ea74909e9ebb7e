//! Objects and manifests as a modelled set has them.

use plan::set::{MANIFEST_SCHEMA, Manifest, Object, Role, SetId};
use stack::ServiceName;

use super::state::{Data, Kept, State};

/// An object of a set, whose hashes are its name.
pub(super) fn object(role: Role, service: Option<&ServiceName>, data: &Data, now: jiff::Timestamp) -> Object {
    let name = format!("{}.{role:?}", service.map_or("stack", ServiceName::as_str)).to_lowercase();
    Object {
        plain_bytes: data.rows.values().sum(),
        plain_sha256: format!("plain {name}"),
        sealed_bytes: data.rows.values().sum(),
        sealed_sha256: format!("sealed {name}"),
        name,
        role,
        service: service.cloned(),
        server: None,
        counts: data.rows.clone(),
        heartbeat: data.heartbeat,
        captured_at: now,
    }
}

impl Kept {
    /// Puts an object in, in place of one of the same name.
    pub(super) fn put(&mut self, object: Object) -> Object {
        self.objects.retain(|kept| kept.name != object.name);
        self.objects.push(object.clone());
        object
    }
}

impl State {
    pub(super) fn manifest(&self, set: &SetId, kept: &Kept) -> Manifest {
        let sequence = self.sets.values().filter(|set| set.manifest.is_some()).count() as u64 + 1;
        let place = self.places.get(&self.home);
        let release = place.and_then(|place| place.releases.get(&place.current?));
        let captured = |keys: bool| {
            let times = kept.objects.iter().filter(|it| (it.role == Role::KeyStore) == keys);
            times.map(|object| object.captured_at).min()
        };
        Manifest {
            schema: MANIFEST_SCHEMA.to_owned(),
            set: set.clone(),
            stack: self.home.clone(),
            shape: release.map(|release| release.shape.name.clone()).unwrap_or_default(),
            chain: format!("chain of {}", self.home),
            sequence,
            previous: None,
            point: captured(false).unwrap_or(self.now),
            keys_at: captured(true),
            tool: "model".to_owned(),
            recipients: Vec::new(),
            release: release.map(|release| release.number),
            objects: kept.objects.clone(),
            keys: kept.before.clone(),
            canaries: kept.canary.iter().map(|(_, canary)| canary.clone()).collect(),
        }
    }
}
