//! The store itself: sealed or open, and the one table of its paths.

use std::{io, path::Path};

use super::{
    barrier::{Barrier, Disk, MasterKey},
    message::{Answer, Refusal, Request, Verb},
    policy,
    seal::Attempt,
    state::{ROOT, State, Token},
};

/// What any token may do with itself.
const SELF_PATHS: [&str; 3] = ["auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self"];

/// A development key store.
pub(super) struct Server {
    pub(super) disk: Disk,
    /// The file; `None` before initialisation.
    pub(super) barrier: Option<Barrier>,
    /// There while it is unsealed.
    pub(super) open: Option<Open>,
    /// Shares given towards unsealing.
    pub(super) unsealing: Vec<Vec<u8>>,
    /// A root token in the making.
    pub(super) rooting: Option<Attempt>,
}

/// The open store.
pub(super) struct Open {
    pub(super) key: MasterKey,
    pub(super) state: State,
}

impl Server {
    /// The store of this directory, sealed or not yet initialised.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let disk = Disk::new(dir)?;
        let barrier = disk.read()?;
        Ok(Self { disk, barrier, open: None, unsealing: Vec::new(), rooting: None })
    }

    /// Answers one request. Every change is on disk before it is answered.
    pub(super) fn handle(&mut self, request: &Request) -> Result<Answer, Refusal> {
        use Verb::{Delete, List, Read, Write};
        let segments: Vec<&str> = request.path.split('/').collect();
        match (request.verb, segments.as_slice()) {
            (Read, ["sys", "health"]) => return Ok(self.health()),
            (Read, ["sys", "seal-status"]) => return Ok(self.seal_status()),
            (Write, ["sys", "init"]) => return self.init(request),
            (Write, ["sys", "unseal"]) => return self.unseal(request),
            (Write, ["sys", "generate-root", "attempt"]) => return self.start_root(),
            (Delete, ["sys", "generate-root", "attempt"]) => return self.give_up_root(),
            (Write, ["sys", "generate-root", "update"]) => return self.go_on_with_root(request),
            (Write, ["auth", "approle", "login"]) => return self.login(request),
            _ => {}
        }
        self.authorise(request)?;
        match (request.verb, segments.as_slice()) {
            (Write, ["sys", "seal"]) => Ok(self.seal()),
            (Read, ["sys", "mounts"]) => self.list_mounts(),
            (Write, ["sys", "mounts", kind]) => self.mount(kind),
            (Read, ["sys", "auth"]) => self.list_auths(),
            (Write, ["sys", "auth", kind]) => self.mount_auth(kind),
            (Write, ["sys", "policies", "acl", name]) => self.write_policy(name, request),
            (Read, ["sys", "storage", "raft", "snapshot"]) => self.snapshot(),
            (Write, ["sys", "storage", "raft", "snapshot-force"]) => self.snapshot_force(request),
            (Write, ["auth", "approle", "role", name]) => self.write_role(name, request),
            (Read, ["auth", "approle", "role", name, "role-id"]) => self.role_id(name),
            (Write, ["auth", "approle", "role", name, "secret-id"]) => self.new_secret_id(name),
            (Read, ["auth", "token", "lookup-self"]) => self.lookup_self(request),
            (Write, ["auth", "token", "renew-self"]) => self.renew_self(request),
            (Write, ["auth", "token", "revoke-self"]) => self.revoke_self(request),
            (List, ["transit", "keys"]) => self.list_keys(),
            (Read, ["transit", "keys", name]) => self.read_key(name),
            (Write, ["transit", "keys", name]) => self.create_key(name),
            (Write, ["transit", "encrypt", name]) => self.encrypt(name, request),
            (Write, ["transit", "decrypt", name]) => self.decrypt(name, request),
            _ => Err(Refusal::no_such_path()),
        }
    }

    /// The state, while it is unsealed.
    pub(super) fn state(&self) -> Result<&State, Refusal> {
        self.open.as_ref().map(|open| &open.state).ok_or_else(sealed)
    }

    /// Changes the state: on disk first, then in memory, or not at all.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut State) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (Some(open), Some(barrier)) = (&mut self.open, &mut self.barrier) else {
            return Err(sealed());
        };
        let mut state = open.state.clone();
        let result = change(&mut state)?;
        let fresh = Barrier::seal(&state, &open.key, barrier.shares, barrier.threshold);
        self.disk.write(&fresh)?;
        open.state = state;
        *barrier = fresh;
        Ok(result)
    }

    /// The caller's token.
    pub(super) fn token(&self, request: &Request) -> Result<&Token, Refusal> {
        let state = self.state()?;
        request.token.as_deref().and_then(|text| state.token(text)).ok_or_else(denied)
    }

    /// Lets the request pass if its token's policies do.
    fn authorise(&self, request: &Request) -> Result<(), Refusal> {
        let token = self.token(request)?;
        let is_root = token.policies.iter().any(|name| name == ROOT);
        if is_root || SELF_PATHS.contains(&request.path.as_str()) {
            return Ok(());
        }
        let texts = token.policies.iter().filter_map(|name| self.state().ok()?.policies.get(name));
        let rules: Vec<policy::Rule> =
            texts.flat_map(|text| policy::parse(text).unwrap_or_default()).collect();
        if policy::allows(&rules, &request.path, request.verb) { Ok(()) } else { Err(denied()) }
    }
}

pub(super) fn sealed() -> Refusal {
    Refusal::new(503, "the key store is sealed")
}

fn denied() -> Refusal {
    Refusal::new(403, "permission denied")
}
