//! One file a verb: read settings, call one library function, hand the result to the view.

mod attest;
mod backup;
mod backups;
mod bootstrap;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod deploy;
mod destroy;
mod doctor;
mod drill;
mod explain;
mod init;
mod logs;
mod plan;
mod preflight;
mod render;
mod restore;
mod rollback;
mod runs;
mod schema;
mod status;
mod validate;

use std::process::ExitCode;

use diag::{Exit, Stop};

use crate::{
    cli::{Cli, Verb},
    interrupt,
    settings::Settings,
    view::View,
};

/// Runs what was typed.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    let verb = match cli.verb {
        Verb::Side(side) => return crate::side::run(side).await,
        #[cfg(feature = "demo")]
        Verb::App(command) => return crate::app::run(command).await,
        verb => verb,
    };
    let early = View::early(cli.global.json);
    let settings = match Settings::resolve(cli.global) {
        Ok(settings) => settings,
        Err(stop) => return ExitCode::from(early.stop(&stop).code()),
    };
    let view = View::new(settings.speech);
    let ended = tokio::select! {
        ended = dispatch(verb, &settings, &view) => ended,
        interrupt = interrupt::asked() => return view.interrupted(interrupt),
    };
    ExitCode::from(ended.unwrap_or_else(|stop| view.stop(&stop)).code())
}

async fn dispatch(verb: Verb, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    match verb {
        Verb::Init(args) => init::init(args, settings, view),
        Verb::Bootstrap(args) => bootstrap::bootstrap(args, settings, view).await,
        Verb::Render(args) => render::render(args, settings, view),
        Verb::Preflight => preflight::preflight(settings, view).await,
        Verb::Plan(args) => plan::plan(args, settings, view).await,
        Verb::Deploy(args) => deploy::deploy(args, settings, view).await,
        Verb::Rollback(args) => rollback::rollback(args, settings, view).await,
        Verb::Validate => validate::validate(settings, view).await,
        Verb::Doctor => doctor::doctor(settings, view).await,
        Verb::Status => status::status(settings, view).await,
        Verb::Logs(args) => logs::logs(args, settings, view).await,
        Verb::Runs(args) => runs::runs(args, settings, view),
        Verb::Backup => backup::backup(settings, view).await,
        Verb::Backups(args) => backups::backups(args, settings, view),
        Verb::Restore(args) => restore::restore(args, settings, view).await,
        Verb::Drill(args) => drill::drill(args, settings, view).await,
        Verb::Destroy(args) => destroy::destroy(args, settings, view).await,
        Verb::Attest(args) => attest::attest(args, settings, view).await,
        Verb::Explain(args) => explain::explain(&args, view),
        Verb::Schema => schema::schema(view),
        #[cfg(feature = "demo")]
        Verb::Demo(args) => demo::demo(args, settings, view).await,
        #[cfg(not(feature = "demo"))]
        Verb::Demo(_) => Err(Stop::usage(diag::Diagnostic::error("no-demo", "this build has no demo"))),
        Verb::Completions(args) => completions::completions(&args, view),
        Verb::Side(_) => unreachable!("answered before settings are read"),
        #[cfg(feature = "demo")]
        Verb::App(_) => unreachable!("answered before settings are read"),
    }
}
