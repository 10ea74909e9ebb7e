//! `completions SHELL`.

use clap::CommandFactory;
use diag::{Exit, Stop};

use crate::{
    cli::{Cli, CompletionsArgs},
    view::View,
};

pub(crate) fn completions(args: &CompletionsArgs, view: &View) -> Result<Exit, Stop> {
    let CompletionsArgs { shell } = args;
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut Cli::command(), "seaworthy", &mut script);
    let script = String::from_utf8_lossy(&script);
    view.wrapped("seaworthy.completions/1", &script, &script);
    Ok(Exit::Done)
}
