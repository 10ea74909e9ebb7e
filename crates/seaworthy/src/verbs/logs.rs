//! `logs`: what services printed.

use diag::{Diagnostic, Exit, Stop};
use host::LogRequest;
use report::{LogsReport, ServiceLog};
use runner::Operations;
use stack::{ServiceName, Shape};

use crate::{cli::LogsArgs, context, settings::Settings, view::View};

pub(crate) async fn logs(args: LogsArgs, settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let LogsArgs { service, tail, follow } = args;
    let operations = context::operations(settings, view).await?;
    let shape = &operations.shape;
    let services: Vec<ServiceName> = match service {
        None => shape.services.keys().cloned().collect(),
        Some(name) => {
            let name = ServiceName::new(name);
            if !shape.services.contains_key(&name) {
                let said = Diagnostic::error("unknown-service", format!("the stack has no service `{name}`"));
                let near = diag::closest(name.as_str(), shape.services.keys().map(ServiceName::as_str));
                return Err(Stop::usage(match near {
                    Some(near) => said.hint(format!("did you mean `{near}`?")),
                    None => said,
                }));
            }
            vec![name]
        }
    };
    let request = LogRequest { tail: Some(tail), follow };
    if view.one_document() {
        return whole(&operations, services, &request, view).await;
    }
    let mut readers = tokio::task::JoinSet::new();
    for (service, container) in containers_of(shape, services) {
        let opened = operations.engine.logs(&container, &request).await;
        let mut lines = match opened {
            Ok(lines) => lines,
            Err(err) => {
                view.diagnostics(&[runner::said("no-log", &err)]);
                continue;
            }
        };
        let view = view.clone();
        readers.spawn(async move {
            while let Some(line) = lines.recv().await {
                view.data(&format!("{service:<12} | {}\n", line.trim_end()));
            }
        });
    }
    readers.join_all().await;
    Ok(Exit::Done)
}

/// Containers of services, each with what a person calls it.
fn containers_of(shape: &Shape, services: Vec<ServiceName>) -> Vec<(String, String)> {
    let named = |service: ServiceName| {
        let containers = shape.container_names(&service);
        let replicas = u32::try_from(containers.len()).unwrap_or(u32::MAX);
        let subject = move |number| plan::desired::subject(&service, number, replicas);
        (1..).map(subject).zip(containers).collect::<Vec<_>>()
    };
    services.into_iter().flat_map(named).collect()
}

/// All lines as one document.
async fn whole(
    operations: &Operations,
    services: Vec<ServiceName>,
    request: &LogRequest,
    view: &View,
) -> Result<Exit, Stop> {
    if request.follow {
        let said = Diagnostic::error("endless", "`--follow` has no end, and `--json` is one document");
        return Err(Stop::usage(said.hint("leave one of them out")));
    }
    let mut logs = Vec::new();
    for (service, container) in containers_of(&operations.shape, services) {
        let mut log = ServiceLog { service, lines: Vec::new(), unreadable: None };
        match operations.engine.logs(&container, request).await {
            Ok(mut lines) => {
                while let Some(line) = lines.recv().await {
                    log.lines.push(line.trim_end().to_owned());
                }
            }
            Err(err) => log.unreadable = Some(diag::causes(&err).join(": ")),
        }
        logs.push(log);
    }
    view.logs(&LogsReport::new(operations.shape.stack.as_str(), logs));
    Ok(Exit::Done)
}
