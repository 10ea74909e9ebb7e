//! Asks a live stack what must answer, and tries what must not. Changes nothing.

use std::collections::BTreeMap;

use diag::{Diagnostic, Stop};
use host::{
    Subject,
    isolation::{IsolationTarget, host_listens, probe_isolation},
    probe::{ask, phase_of},
};
use plan::{ClosedPort, ContainerSeen, Facts, MustAnswer, MustNot, Questions};
use stack::ServiceName;

use crate::{Operations, discretion::Discretion, operations::said};

/// What a live stack answered.
#[derive(Debug, Default)]
pub struct Validation {
    /// Every question and its answer.
    pub answers: Vec<Answer>,
    /// What differs from the shape without asking.
    pub drift: Vec<Diagnostic>,
    /// What was not asked, and why.
    pub not_asked: Vec<String>,
}

/// One question and its answer, in words.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// True for what must answer, false for what must not.
    pub must_answer: bool,
    /// What came back.
    pub saw: String,
    /// That is as it should be, or good enough.
    pub passed: bool,
    /// It is good enough, and not well: the service works, with less.
    pub degraded: bool,
}

impl Operations {
    /// Asks the live stack.
    ///
    /// # Errors
    /// When something could not be asked at all: that is not the same as passed.
    pub async fn validate(&self) -> Result<Validation, Stop> {
        let asked = self.ask_all().await;
        let discretion = Discretion::of(&self.dir(), &self.keyring, &self.materials);
        let mut validation = asked.map_err(|stop| discretion.hush_stop(stop))?;
        for answer in &mut validation.answers {
            answer.saw = discretion.hush(&answer.saw);
        }
        Ok(validation)
    }

    /// What the services that run say of themselves, by container: what is not well, all asked at once.
    pub async fn ailing(&self, facts: &Facts) -> BTreeMap<String, Answer> {
        let asked = plan::live_questions(&self.shape, facts);
        let answers = asked.iter().map(|MustAnswer { service, container, probes }| async move {
            let settings = self.shape.services.get(service)?;
            let subject = Subject::new(service, container, settings);
            let mut ailing: Option<Answer> = None;
            for probe in probes {
                let (question, saw, passed, degraded) = match ask(self.engine.as_ref(), &subject, probe).await
                {
                    Ok(seen) if !seen.degraded => continue,
                    Ok(seen) => (seen.probe, seen.saw, true, true),
                    Err(err) => (err.probe, err.saw, false, false),
                };
                // The worst is told: one that does not answer before one that has less.
                if ailing.as_ref().is_none_or(|before| before.passed && !passed) {
                    ailing = Some(Answer { question, must_answer: true, saw, passed, degraded });
                }
            }
            Some((container.clone(), ailing?))
        });
        let answers: Vec<_> = futures_util::future::join_all(answers).await.into_iter().flatten().collect();
        if answers.is_empty() {
            return BTreeMap::new();
        }
        let discretion = Discretion::of(&self.dir(), &self.keyring, &self.materials);
        let hushed = |(container, answer): (String, Answer)| {
            let saw = discretion.hush(&answer.saw);
            (container, Answer { saw, ..answer })
        };
        answers.into_iter().map(hushed).collect()
    }

    async fn ask_all(&self) -> Result<Validation, Stop> {
        let facts = self.facts().await?;
        let Questions { must_answer, must_not, closed_ports, drift, not_asked } =
            plan::questions(&self.shape, &facts);
        let mut validation = Validation { drift, not_asked, ..Validation::default() };
        for question in &must_answer {
            self.must_answer(question, &mut validation).await;
        }
        self.must_not(&facts, &must_not, &mut validation).await?;
        self.must_be_closed(&facts, &closed_ports, &mut validation).await?;
        Ok(validation)
    }

    /// No address of the host may answer at the port of a service that publishes nothing.
    async fn must_be_closed(
        &self,
        facts: &Facts,
        closed_ports: &[ClosedPort],
        validation: &mut Validation,
    ) -> Result<(), Stop> {
        let ports: Vec<u16> = closed_ports.iter().map(|closed| closed.port).collect();
        let open =
            host_listens(&ports).await.map_err(|err| Stop::precondition(said("host-addresses", &err)))?;
        for ClosedPort { service, port } in closed_ports {
            let question = format!("{service}:{port} from every address of the host");
            let listening = open.iter().find(|listening| listening.port == *port);
            let ours = facts
                .containers
                .iter()
                .any(|seen| seen.ports.iter().any(|(_, published, _)| published == port));
            // A port that another program of this host holds says nothing about the stack.
            if listening.is_some() && !ours {
                validation.not_asked.push(format!("{question}: another program listens there"));
                continue;
            }
            let saw = listening.map_or_else(
                || "nobody answers".to_owned(),
                |listening| format!("{}:{port} accepts connections", listening.address),
            );
            validation.answers.push(Answer {
                question,
                must_answer: false,
                saw,
                passed: listening.is_none(),
                degraded: false,
            });
        }
        Ok(())
    }

    async fn must_answer(&self, question: &MustAnswer, validation: &mut Validation) {
        let MustAnswer { service, container, probes } = question;
        let Some(settings) = self.shape.services.get(service) else { return };
        let answer = |question: String, saw: String, passed: bool| Answer {
            question,
            must_answer: true,
            saw,
            passed,
            degraded: false,
        };
        let subject = Subject::new(service, container, settings);
        let phase = phase_of(self.engine.as_ref(), self.shape.stack.as_str(), container).await;
        let (saw, runs) = match phase {
            Ok(Some(phase)) => (phase.in_words(), phase.is_well()),
            // The survey told that it is not there.
            Ok(None) => return,
            Err(err) => (diag::causes(&err).join(": "), false),
        };
        if probes.is_empty() || !runs {
            let subject = self.called(service, container);
            validation.answers.push(answer(format!("{subject} runs"), saw, runs));
        }
        for probe in probes.iter().filter(|_| runs) {
            validation.answers.push(match ask(self.engine.as_ref(), &subject, probe).await {
                Ok(seen) => Answer { degraded: seen.degraded, ..answer(seen.probe, seen.saw, true) },
                Err(err) => answer(err.probe, err.saw, false),
            });
        }
    }

    /// What a person calls a container: its service where there is only one.
    fn called(&self, service: &ServiceName, container: &str) -> String {
        match self.shape.container_names(service).as_slice() {
            [_] => service.to_string(),
            _ => format!("{service} ({container})"),
        }
    }

    /// Tries every forbidden connection, one side container a network.
    async fn must_not(
        &self,
        facts: &Facts,
        asked: &[MustNot],
        validation: &mut Validation,
    ) -> Result<(), Stop> {
        let mut by_network: BTreeMap<&str, Vec<&MustNot>> = BTreeMap::new();
        for question in asked {
            if facts.networks.contains_key(&question.from) {
                by_network.entry(&question.from).or_default().push(question);
            }
        }
        for (network, questions) in by_network {
            let targets: Vec<IsolationTarget> =
                questions.iter().filter_map(|question| self.target(facts, question)).collect();
            let seen = probe_isolation(self.engine.as_ref(), Some(network), &targets)
                .await
                .map_err(|err| Stop::precondition(said("isolation-not-tried", &err)))?;
            validation.answers.extend(seen.into_iter().map(|seen| Answer {
                question: format!("{}:{} from network {network}", seen.service, seen.port),
                must_answer: false,
                saw: without_subject(&seen.in_words()),
                passed: seen.is_isolated(),
                degraded: false,
            }));
        }
        Ok(())
    }

    fn target(&self, facts: &Facts, question: &MustNot) -> Option<IsolationTarget> {
        let seen = facts.containers.iter().find(|seen| seen.name == question.container)?;
        let addresses = seen.addresses.iter().filter_map(|address| address.parse().ok()).collect();
        Some(IsolationTarget {
            service: question.service.clone(),
            addresses,
            names: self.names(&question.service, seen),
            port: question.port,
        })
    }

    fn names(&self, service: &ServiceName, seen: &ContainerSeen) -> Vec<String> {
        let aliases =
            self.shape.services.get(service).into_iter().flat_map(|service| {
                service.networks.values().flat_map(|attachment| attachment.aliases.clone())
            });
        let mut names: Vec<String> =
            [service.to_string(), seen.name.clone()].into_iter().chain(aliases).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// What came of a question, without the question that stands beside it.
fn without_subject(words: &str) -> String {
    words.split_once(": ").map_or(words, |(_, saw)| saw).to_owned()
}
