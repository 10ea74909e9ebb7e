//! `preflight`: the checks that need no running stack. The same checks gate a deploy.

use std::collections::BTreeMap;

use diag::{Diagnostic, Exit, Severity, Stop};
use plan::SecretSeen;
use report::FindingsReport;
use secrets::Store;
use stack::{EngineKind, Loaded, SecretName, StackName};

use crate::{context, settings::Settings, view::View};

pub(crate) async fn preflight(settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let loaded = context::load(settings)?;
    context::understood(&loaded)?;
    let named = loaded.shape.as_ref().and_then(|shape| shape.engine);
    let engine = settings.engine.or(named).unwrap_or(EngineKind::Docker);
    let findings = findings(settings, &loaded, engine)?;
    Ok(view.findings(&findings))
}

/// Lets a deploy pass, or stops a production one with what stands in its way; elsewhere errors are only counted.
///
/// # Errors
/// When a production shape has a finding of the weight of an error.
pub(crate) fn gate(
    settings: &Settings,
    view: &View,
    loaded: &Loaded,
    engine: EngineKind,
) -> Result<(), Stop> {
    let findings = findings(settings, loaded, engine)?;
    let errors: Vec<_> =
        findings.all_said().into_iter().filter(|said| said.severity == Severity::Error).collect();
    if errors.is_empty() || !findings.production {
        view.counted(&findings);
        return Ok(());
    }
    Err(Stop { exit: Exit::Findings, diagnostics: errors })
}

fn findings(settings: &Settings, loaded: &Loaded, engine: EngineKind) -> Result<FindingsReport, Stop> {
    let shape = loaded.shape.as_ref().expect("a stack that was understood has a shape");
    let stored = stored(settings, &shape.stack)?;
    let input = checks::Input {
        shape,
        places: &loaded.places,
        engine,
        materials: Some(&loaded.materials),
        stored: Some(&stored),
        facts: None,
    };
    Ok(report::findings_report(&input, &loaded.diagnostics))
}

/// What the sealed store holds; nothing where there is none yet.
fn stored(settings: &Settings, stack: &StackName) -> Result<BTreeMap<SecretName, SecretSeen>, Stop> {
    let held = Store::open(settings.state.stack(stack).secrets(), runner::keyring(&settings.state)?)
        .list()
        .map_err(|err| Stop::precondition(Diagnostic::from_error("sealed-store", &err)))?;
    let seen = |(name, (version, fingerprint))| (name, SecretSeen { version, fingerprint });
    Ok(held.into_iter().map(seen).collect())
}
