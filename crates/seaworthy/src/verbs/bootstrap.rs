//! `bootstrap`: generates what is missing, holds the key store's ceremony, overwrites nothing.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use diag::{Diagnostic, Exit, Stop};
use plan::{Facts, Plan, Policy, Verb};
use runner::{
    Given,
    live::{HandOver, People},
};
use secrets::Secret;
use stack::{SecretName, Shape};

use crate::{
    cli::{BootstrapArgs, GivenArgs},
    context, settings,
    settings::Settings,
    view::View,
};

pub(crate) async fn bootstrap(args: BootstrapArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let BootstrapArgs { given, shares_out, shares } = args;
    let operations = context::operations(settings, view).await?;
    let people = People {
        shares: settings::shares(&shares)?,
        hand_over: hand_over(&operations.shape, shares_out, view)?,
        given: given_values(&operations.shape, &given)?,
        ask: None,
    };
    let planner = planner(people.given.keys().cloned().collect());
    let given = Given { people, ..Given::default() };
    let finished = operations.carry_out(Verb::Bootstrap, &planner, given, &view.teller()).await?;
    Ok(view.run(&finished))
}

/// With these secrets given by a person.
pub(crate) fn planner(
    given: Vec<SecretName>,
) -> impl Fn(&Shape, &Facts, &Policy) -> Result<Plan, Stop> + Sync {
    move |shape, facts, policy| plan::bootstrap(shape, &given, facts, policy)
}

/// How new shares reach their holders: sealed, one file a holder, or shown once on a terminal; never both.
fn hand_over(shape: &Shape, out: Option<PathBuf>, view: &View) -> Result<Option<HandOver>, Stop> {
    let holders = shape.key_store().map(|(_, transit)| transit.holders.clone()).unwrap_or_default();
    match (holders.is_empty(), out) {
        (true, Some(_)) => Err(Stop::usage(
            Diagnostic::error(
                "no-holders",
                "`--shares-out` seals each share to its holder, and none is declared",
            )
            .hint("holders = [\"age1…\", …] in the key store's `transit` table, one a share"),
        )),
        (true, None) if view.terminal() => {
            let view = view.clone();
            Ok(Some(Arc::new(move |shares: Vec<Secret<String>>| {
                let shown = view.show_shares_once(&shares);
                Box::pin(async move { shown })
            })))
        }
        (true, None) => Ok(None),
        (false, None) => Ok(None),
        (false, Some(dir)) => {
            try_hand_over(&dir, &holders)?;
            Ok(Some(Arc::new(move |shares: Vec<Secret<String>>| {
                let written = seal_to_holders(&dir, &holders, &shares);
                Box::pin(async move { written })
            })))
        }
    }
}

/// Proves that shares can be handed over before there are any: they exist only once.
fn try_hand_over(dir: &std::path::Path, holders: &[String]) -> Result<(), Stop> {
    let refused = |err: &(dyn std::error::Error + 'static)| {
        let message = format!("key shares could not be handed over in `{}`", dir.display());
        Stop::usage(Diagnostic::error("shares-out", message).caused_by(err))
    };
    let trial = Secret::from("a trial");
    for holder in holders {
        secrets::keystore::seal_share(holder, &trial).map_err(|err| refused(&err))?;
    }
    host::files::make_dir(dir, host::files::Readers::Owner).map_err(|err| refused(&err))?;
    let probe = dir.join(".trial");
    host::files::replace(&probe, b"a trial", host::files::Readers::Owner).map_err(|err| refused(&err))?;
    host::files::remove(&probe).map_err(|err| refused(&err))
}

fn seal_to_holders(
    dir: &std::path::Path,
    holders: &[String],
    shares: &[Secret<String>],
) -> Result<(), secrets::keystore::BoxError> {
    if holders.len() != shares.len() {
        return Err(format!("{} holders are declared for {} shares", holders.len(), shares.len()).into());
    }
    host::files::make_dir(dir, host::files::Readers::Owner)?;
    for (number, (holder, share)) in holders.iter().zip(shares).enumerate() {
        let sealed = secrets::keystore::seal_share(holder, share)?;
        let path = dir.join(format!("share-{}.age", number + 1));
        host::files::replace(&path, sealed.as_bytes(), host::files::Readers::Owner)?;
    }
    Ok(())
}

/// Values of given secrets: `NAME=FILE`, or NAME with the value on stdin.
pub(crate) fn given_values(
    shape: &Shape,
    given: &GivenArgs,
) -> Result<BTreeMap<SecretName, Secret<String>>, Stop> {
    let mut sources: Vec<(&str, PathBuf)> = Vec::new();
    for pair in &given.from_file {
        let (name, path) = pair.split_once('=').ok_or_else(|| {
            Stop::usage(Diagnostic::error("from-file", format!("`{pair}` is not NAME=FILE")))
        })?;
        sources.push((name, PathBuf::from(path)));
    }
    sources.extend(given.from_stdin.iter().map(|name| (name.as_str(), PathBuf::from("-"))));
    let mut values = BTreeMap::new();
    for (name, path) in sources {
        let name = SecretName::from(name);
        if !shape.secrets.contains_key(&name) {
            let known = diag::closest(name.as_str(), shape.secrets.keys().map(SecretName::as_str));
            let said = Diagnostic::error("unknown-secret", format!("`[secret]` declares no `{name}`"));
            return Err(Stop::usage(match known {
                Some(known) => said.hint(format!("did you mean `{known}`?")),
                None => said,
            }));
        }
        let text = settings::read_secret("from-file", &path)?;
        values.insert(name, Secret::new(text.expose().trim_end_matches(['\n', '\r']).to_owned()));
    }
    Ok(values)
}
