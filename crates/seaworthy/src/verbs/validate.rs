//! `validate`: what must answer on the live stack, and what must not. Changes nothing.

use diag::{Exit, Stop};
use report::{Asked, ValidateReport};

use crate::{context, settings::Settings, view::View};

pub(crate) async fn validate(settings: &Settings, view: &View) -> Result<Exit, Stop> {
    let operations = context::operations(settings, view).await?;
    let validation = operations.validate().await?;
    let asked = validation
        .answers
        .into_iter()
        .map(|answer| Asked {
            question: answer.question,
            must_answer: answer.must_answer,
            saw: answer.saw,
            passed: answer.passed,
            degraded: answer.degraded,
        })
        .collect();
    let report = ValidateReport::new(&operations.shape, asked, &validation.drift, validation.not_asked);
    Ok(view.validation(&report))
}
