//! `doctor`: what is wrong, and what to do about it. Whatever cannot be used is a symptom, and stops nothing.

use std::sync::Arc;

use diag::{Exit, Stop};
use host::Engine;
use report::DoctorReport;
use stack::EngineKind;

use crate::{context, settings::Settings, view::View};

pub(crate) async fn doctor(settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let keyring = runner::keyring(&settings.state);
    let loaded = keyring.and_then(|keyring| Ok((context::load_with(settings, &keyring)?, keyring)));
    let (loaded, keyring) = match loaded {
        Ok((loaded, keyring)) => (loaded, Ok(keyring)),
        Err(stop) => (runner::load(&settings.request), Err(stop)),
    };
    let engine = match context::engine_kind(settings, &loaded) {
        EngineKind::Docker => context::docker(view).await,
        EngineKind::Process => Ok(Arc::new(context::process(settings)?) as Arc<dyn Engine>),
    };
    let shape = loaded.shape.clone();
    let symptoms = runner::examine(&settings.state, keyring, loaded, engine).await;
    Ok(view.doctor(&DoctorReport::new(shape.as_ref(), &symptoms)))
}
