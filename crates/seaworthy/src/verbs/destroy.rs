//! `destroy`: removes the stack; refused on a live one, and without its name typed.

use std::io::{BufRead, IsTerminal};

use diag::{Exit, Stop};
use plan::{Facts, Plan, Policy, Verb};
use runner::Given;
use stack::Shape;

use crate::{cli::DestroyArgs, context, settings, settings::Settings, view::View};

pub(crate) async fn destroy(args: DestroyArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let DestroyArgs { confirm, volumes, planned } = args;
    let planned = settings::planned(&planned, Verb::Destroy)?;
    let operations = context::operations(settings, view).await?;
    let confirmed = confirm.or_else(|| ask_for_the_name(view, &operations.shape, volumes));
    let given = Given { confirmed, planned, ..Given::default() };
    let finished = operations.carry_out(Verb::Destroy, &planner(volumes), given, &view.teller()).await?;
    Ok(view.run(&finished))
}

/// With its volumes, or without.
pub(crate) fn planner(volumes: bool) -> impl Fn(&Shape, &Facts, &Policy) -> Result<Plan, Stop> + Sync {
    move |shape, facts, policy| plan::destroy(shape, volumes, facts, policy)
}

/// Asks on a terminal; elsewhere only `--confirm` will do.
fn ask_for_the_name(view: &View, shape: &Shape, volumes: bool) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let lost = if volumes { "its containers, networks and volumes" } else { "its containers and networks" };
    view.ask(&format!("this removes {lost}; type `{}` to go on: ", shape.stack));
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed).ok()?;
    Some(typed.trim().to_owned())
}
