//! Mounts, policies, roles, tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    message::{Answer, Refusal, Request},
    policy,
    server::Server,
    state::{Role, hash, now, random_text},
};

const HOUR_SECS: u64 = 3600;

impl Server {
    pub(super) fn list_mounts(&self) -> Result<Answer, Refusal> {
        Ok(table(&self.state()?.mounts))
    }

    pub(super) fn mount(&mut self, kind: &str) -> Result<Answer, Refusal> {
        known(kind, "transit")?;
        self.change(|state| taken(state.mounts.insert(kind.to_owned())))
    }

    pub(super) fn list_auths(&self) -> Result<Answer, Refusal> {
        Ok(table(&self.state()?.auths))
    }

    pub(super) fn mount_auth(&mut self, kind: &str) -> Result<Answer, Refusal> {
        known(kind, "approle")?;
        self.change(|state| taken(state.auths.insert(kind.to_owned())))
    }

    pub(super) fn write_policy(&mut self, name: &str, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Given {
            policy: String,
        }
        let Given { policy } = request.json()?;
        policy::parse(&policy).map_err(|because| Refusal::new(400, because))?;
        self.change(|state| {
            state.policies.insert(name.to_owned(), policy);
            Ok(Answer::Empty)
        })
    }

    /// Makes a role or changes its policies. Its id and its secret ids stay.
    pub(super) fn write_role(&mut self, name: &str, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Given {
            token_policies: Vec<String>,
        }
        let Given { token_policies: policies } = request.json()?;
        self.change(|state| {
            if !state.auths.contains("approle") {
                return Err(Refusal::no_such_path());
            }
            let fresh = || Role {
                id: random_text(12),
                policies: Vec::new(),
                period_secs: HOUR_SECS,
                secrets: BTreeSet::new(),
            };
            state.roles.entry(name.to_owned()).or_insert_with(fresh).policies = policies;
            Ok(Answer::Empty)
        })
    }

    pub(super) fn role_id(&self, name: &str) -> Result<Answer, Refusal> {
        let role = self.state()?.roles.get(name).ok_or_else(Refusal::no_such_path)?;
        Ok(Answer::data(json!({ "role_id": role.id })))
    }

    pub(super) fn new_secret_id(&mut self, name: &str) -> Result<Answer, Refusal> {
        let secret = random_text(24);
        self.change(|state| {
            let role = state.roles.get_mut(name).ok_or_else(Refusal::no_such_path)?;
            role.secrets.insert(hash(&secret));
            Ok(())
        })?;
        Ok(Answer::data(json!({ "secret_id": secret })))
    }

    pub(super) fn login(&mut self, request: &Request) -> Result<Answer, Refusal> {
        #[derive(Deserialize)]
        struct Given {
            #[serde(default)]
            role_id: String,
            #[serde(default)]
            secret_id: String,
        }
        let given: Given = request.json()?;
        let (token, policies) = self.change(|state| {
            let mut roles = state.roles.values();
            let role = roles.find(|role| role.id == given.role_id);
            let role = role.filter(|role| role.secrets.contains(&hash(&given.secret_id)));
            let role = role.ok_or_else(|| Refusal::new(400, "invalid role or secret ID"))?.clone();
            Ok((state.issue(role.policies.clone(), Some(role.period_secs)), role.policies))
        })?;
        Ok(Answer::Json(200, json!({ "auth": auth(&token, &policies, HOUR_SECS) })))
    }

    pub(super) fn lookup_self(&self, request: &Request) -> Result<Answer, Refusal> {
        let token = self.token(request)?;
        let left = token.expires.map_or(0, |expires| expires.saturating_sub(now()));
        Ok(Answer::data(
            json!({ "policies": token.policies, "ttl": left, "renewable": token.expires.is_some() }),
        ))
    }

    pub(super) fn renew_self(&mut self, request: &Request) -> Result<Answer, Refusal> {
        let text = request.token.clone().unwrap_or_default();
        let (period, policies) = self.change(|state| {
            let token = state.tokens.get_mut(&hash(&text)).ok_or_else(Refusal::no_such_path)?;
            token.expires = token.expires.map(|_| now() + token.period_secs);
            Ok((token.period_secs, token.policies.clone()))
        })?;
        Ok(Answer::Json(200, json!({ "auth": auth(&text, &policies, period) })))
    }

    pub(super) fn revoke_self(&mut self, request: &Request) -> Result<Answer, Refusal> {
        let text = request.token.clone().unwrap_or_default();
        self.change(|state| {
            state.tokens.remove(&hash(&text));
            Ok(Answer::Empty)
        })
    }
}

fn auth(token: &str, policies: &[String], lease_secs: u64) -> Value {
    json!({
        "client_token": token,
        "policies": policies,
        "token_policies": policies,
        "lease_duration": lease_secs,
        "renewable": lease_secs > 0,
    })
}

fn table(names: &BTreeSet<String>) -> Answer {
    let rows: BTreeMap<String, Value> =
        names.iter().map(|name| (format!("{name}/"), json!({ "type": name }))).collect();
    Answer::data(json!(rows))
}

fn known(kind: &str, only: &str) -> Result<(), Refusal> {
    if kind == only {
        return Ok(());
    }
    Err(Refusal::new(400, format!("the development key store mounts `{only}` only")))
}

fn taken(fresh: bool) -> Result<Answer, Refusal> {
    if fresh { Ok(Answer::Empty) } else { Err(Refusal::new(400, "path is already in use")) }
}
