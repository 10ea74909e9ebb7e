//! A container's life, each part of it done twice.

use std::time::{Duration, Instant};

use host::{Engine, LogRequest, Scope, Trouble};
use plan::{Effect, Mark, Output, Phase, Thing};
use stack::{EngineKind, Restart};

use crate::stack_in_a_directory::{Stack, dies, finish, is_alive, kill, network, shell, volume};

const RUNNING: Phase = Phase::Running { healthy: None };

#[tokio::test]
async fn a_container_lives_from_create_to_remove_and_each_effect_can_be_made_twice() {
    let stack = Stack::new();
    let web = shell("web", "echo up; exec sleep 600");
    assert_eq!(stack.create(&web).await, Output::None);
    assert_eq!(stack.create(&web).await, Output::Unchanged);
    assert_eq!(stack.phase(&web.name).await, Phase::Created);

    assert_eq!(stack.start(&web.name).await, Output::None);
    assert_eq!(stack.start(&web.name).await, Output::Unchanged);
    assert_eq!(stack.phase(&web.name).await, RUNNING);
    assert_eq!(stack.says(&web.name, 1).await, ["up"]);
    let (supervisor, service) = (stack.supervisor(&web.name), stack.service(&web.name));

    assert_eq!(stack.stop(&web.name).await, Output::None);
    assert_eq!(stack.stop(&web.name).await, Output::Unchanged);
    assert_eq!(stack.phase(&web.name).await, Phase::Exited { code: 143 });
    assert!(!is_alive(supervisor) && !is_alive(service));

    let resume = Effect::Resume { container: web.name.clone(), restart: Restart::Always };
    assert_eq!(stack.apply(resume.clone()).await, Output::None);
    assert_eq!(stack.apply(resume).await, Output::Unchanged);
    assert_eq!(stack.phase(&web.name).await, RUNNING);
    let service = stack.service(&web.name);

    assert_eq!(stack.remove(&web.name).await, Output::None);
    assert_eq!(stack.remove(&web.name).await, Output::Unchanged);
    assert!(!is_alive(service), "what is removed does not run on");
    assert_eq!(stack.seen().await, []);
    assert!(!stack.state.path().join("process/blog").exists(), "nothing is left of a stack that is gone");
}

#[tokio::test]
async fn a_survey_tells_what_a_container_was_made_from() {
    let stack = Stack::new();
    let mut web = shell("web", "exec sleep 600");
    stack.apply(Effect::EnsureNetwork { network: network("blog_data") }).await;
    web.networks.insert("blog_data".to_owned(), stack::Attachment::default());
    stack.create(&web).await;
    let scope = Scope { project: "blog".to_owned(), ports: vec![80], ..Scope::default() };
    let observed = stack.engine.observe(&scope).await.unwrap();
    assert_eq!(stack.engine.kind(), EngineKind::Process);
    assert_eq!(observed.host.engine, EngineKind::Process);
    let seen = &observed.containers[0];
    assert_eq!((seen.name.as_str(), seen.service.as_str()), ("blog-web-1", "web"));
    assert_eq!((seen.identity.as_str(), seen.release), ("identity-of-web", Some(1)));
    assert_eq!(seen.state_dir.as_deref(), Some("here"));
    let network = &observed.networks["blog_data"];
    assert_eq!((network.project.as_str(), network.internal), ("blog", true));
    assert_eq!(network.attached, ["blog-web-1"]);
    let other = Scope { project: "other".to_owned(), ..Scope::default() };
    assert!(stack.engine.observe(&other).await.unwrap().containers.is_empty());
}

#[tokio::test]
async fn networks_and_volumes_come_and_go_and_a_mounted_volume_stays() {
    let stack = Stack::new();
    let (data, net) = (volume("blog_data"), network("blog_net"));
    assert_eq!(stack.apply(Effect::EnsureVolume { volume: data.clone() }).await, Output::None);
    assert_eq!(stack.apply(Effect::EnsureVolume { volume: data }).await, Output::Unchanged);
    assert_eq!(stack.apply(Effect::EnsureNetwork { network: net.clone() }).await, Output::None);
    assert_eq!(stack.apply(Effect::EnsureNetwork { network: net }).await, Output::Unchanged);
    let mut db = shell("db", "exec sleep 600");
    let target = "/data".to_owned();
    db.mounts.push(plan::ResolvedMount::volume("blog_data", target, false));
    stack.create(&db).await;

    let remove = Effect::RemoveVolume { name: "blog_data".to_owned() };
    let refused = stack.try_apply(remove.clone()).await.unwrap_err();
    assert_eq!(refused.trouble, Trouble::Conflict);
    stack.remove(&db.name).await;
    assert_eq!(stack.apply(remove.clone()).await, Output::None);
    assert_eq!(stack.apply(remove).await, Output::Unchanged);
    let remove = Effect::RemoveNetwork { name: "blog_net".to_owned() };
    assert_eq!(stack.apply(remove.clone()).await, Output::None);
    assert_eq!(stack.apply(remove).await, Output::Unchanged);
}

#[tokio::test]
async fn what_another_plan_made_is_neither_taken_for_ours_nor_removed_with_it() {
    let stack = Stack::new();
    let (ours, theirs) = (Mark("ours".to_owned()), Mark("theirs".to_owned()));
    let (mut data, mut net, mut web) =
        (volume("blog_data"), network("blog_net"), shell("web", "exec sleep 600"));
    for labels in [&mut data.labels, &mut net.labels, &mut web.labels] {
        theirs.put_on(labels);
    }
    stack.apply(Effect::MakeVolume { volume: data.clone() }).await;
    stack.apply(Effect::EnsureNetwork { network: net }).await;
    stack.create(&web).await;
    assert_eq!(stack.apply(Effect::MakeVolume { volume: data.clone() }).await, Output::Unchanged);
    assert_eq!(stack.create(&web).await, Output::Unchanged);

    ours.put_on(&mut data.labels);
    ours.put_on(&mut web.labels);
    let making = [Effect::MakeVolume { volume: data }, Effect::Create { container: Box::new(web.clone()) }];
    for making in making {
        assert_eq!(stack.try_apply(making).await.unwrap_err().trouble, Trouble::Conflict);
    }
    let things = [(Thing::Container, &*web.name), (Thing::Network, "blog_net"), (Thing::Volume, "blog_data")];
    let unmake = |(thing, name): (Thing, &str), mark: &Mark| Effect::Unmake {
        thing,
        name: name.to_owned(),
        mark: mark.clone(),
    };
    for thing in things {
        assert_eq!(stack.apply(unmake(thing, &ours)).await, Output::Unchanged, "{}", thing.1);
    }
    for thing in things {
        assert_eq!(stack.apply(unmake(thing, &theirs)).await, Output::None, "{}", thing.1);
        assert_eq!(stack.apply(unmake(thing, &theirs)).await, Output::Unchanged, "{}", thing.1);
    }
}

#[tokio::test]
async fn a_one_shot_ends_with_the_exit_status_it_ended_with() {
    let stack = Stack::new();
    let done = stack.runs("migrate", "echo migrated").await;
    stack.becomes(&done.name, Phase::Exited { code: 0 }).await;
    let failed = stack.runs("check", "exit 3").await;
    stack.becomes(&failed.name, Phase::Exited { code: 3 }).await;
    let killed = stack.runs("killed", "kill -9 $$").await;
    stack.becomes(&killed.name, Phase::Exited { code: 137 }).await;
    // It can be started again.
    stack.start(&failed.name).await;
    stack.becomes(&failed.name, Phase::Exited { code: 3 }).await;
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_the_start_and_the_log_says_which() {
    let stack = Stack::new();
    let mut web = shell("web", "");
    web.settings.restart = Restart::Always;
    web.settings.process.as_mut().unwrap().command = vec!["/nonexistent/web".to_owned()];
    stack.create(&web).await;
    let error = stack.try_apply(Effect::Start { container: web.name.clone() }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Refused);
    assert!(error.source.unwrap().to_string().contains("cannot run `/nonexistent/web`"));
    assert_eq!(stack.phase(&web.name).await, Phase::Exited { code: 127 });
    assert!(stack.said(&web.name).await[0].contains("/nonexistent/web"));
}

#[tokio::test]
async fn a_service_that_says_nothing_about_processes_is_refused_with_what_to_write() {
    let stack = Stack::new();
    let mut web = shell("web", "");
    web.settings.process = None;
    let error = stack.try_apply(Effect::Create { container: Box::new(web) }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Unsupported);
    assert!(error.hint.unwrap().contains("[service.web] process"));
    assert_eq!(stack.seen().await, []);
}

#[tokio::test]
async fn a_service_that_crashes_is_brought_back_as_its_policy_says_and_no_more_often() {
    let stack = Stack::new();
    let mut web = shell("web", "echo tried; exit 7");
    web.settings.restart = Restart::OnFailure(Some(2));
    stack.create(&web).await;
    stack.start(&web.name).await;
    stack.becomes(&web.name, Phase::Exited { code: 7 }).await;
    assert_eq!(stack.said(&web.name).await, ["tried", "tried", "tried"], "once, and twice again");

    let mut api = shell("api", "echo up; exec sleep 600");
    api.settings.restart = Restart::UnlessStopped;
    stack.create(&api).await;
    stack.start(&api.name).await;
    stack.says(&api.name, 1).await;
    let first = stack.service(&api.name);
    kill("KILL", &first.to_string());
    stack.says(&api.name, 2).await;
    stack.becomes(&api.name, RUNNING).await;
    assert_ne!(stack.service(&api.name), first);
    stack.stop(&api.name).await;
    assert_eq!(stack.phase(&api.name).await, Phase::Exited { code: 143 });
}

#[tokio::test]
async fn a_stop_while_a_service_waits_to_be_brought_back_is_the_end_of_it() {
    let stack = Stack::new();
    let mut web = shell("web", "exit 1");
    web.settings.restart = Restart::Always;
    stack.create(&web).await;
    stack.start(&web.name).await;
    stack.becomes(&web.name, Phase::Restarting).await;
    let supervisor = stack.supervisor(&web.name);
    stack.stop(&web.name).await;
    assert!(!is_alive(supervisor));
    assert_eq!(stack.phase(&web.name).await, Phase::Exited { code: 1 });
}

#[tokio::test]
async fn a_stop_asks_with_the_services_own_signal_and_waits_for_it() {
    let stack = Stack::new();
    let mut web = shell("web", "trap 'echo drained; exit 0' INT; echo up; while :; do sleep 0.05; done");
    web.settings.stop_signal = Some("SIGINT".to_owned());
    stack.create(&web).await;
    stack.start(&web.name).await;
    stack.says(&web.name, 1).await;
    stack.stop(&web.name).await;
    assert_eq!(stack.phase(&web.name).await, Phase::Exited { code: 0 });
    assert_eq!(stack.said(&web.name).await, ["up", "drained"]);
}

#[tokio::test]
async fn a_service_that_does_not_stop_is_killed_after_its_grace_with_all_its_children() {
    let stack = Stack::new();
    // The child has a session of its own: a signal to the group does not reach it.
    let script = "trap '' TERM; setsid sleep 600 & echo $!; while :; do sleep 0.05; done";
    let web = stack.runs("web", script).await;
    let child: i32 = stack.says(&web.name, 1).await[0].parse().unwrap();
    let began = Instant::now();
    let grace = Some(Duration::from_millis(300));
    stack.apply(Effect::Stop { container: web.name.clone(), grace }).await;
    assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < Duration::from_secs(8));
    assert_eq!(stack.phase(&web.name).await, Phase::Exited { code: 137 });
    dies(child).await;
}

#[tokio::test]
async fn what_a_service_leaves_behind_when_it_ends_does_not_run_on() {
    let stack = Stack::new();
    let web = stack.runs("web", "sleep 600 & echo $!; exit 4").await;
    stack.becomes(&web.name, Phase::Exited { code: 4 }).await;
    let child: i32 = stack.said(&web.name).await[0].parse().unwrap();
    assert!(!is_alive(child));
}

#[tokio::test]
async fn a_suspended_service_is_paused_and_a_start_lets_it_go_on() {
    let stack = Stack::new();
    let web = stack.runs("web", "exec sleep 600").await;
    kill("STOP", &stack.service(&web.name).to_string());
    stack.becomes(&web.name, Phase::Paused).await;
    assert_eq!(stack.start(&web.name).await, Output::None);
    stack.becomes(&web.name, RUNNING).await;
}

#[tokio::test]
async fn a_running_container_is_renamed_without_noticing_it() {
    let stack = Stack::new();
    let mut web = shell("web", "echo up; exec sleep 600");
    web.settings.restart = Restart::Always;
    stack.create(&web).await;
    stack.start(&web.name).await;
    stack.says(&web.name, 1).await;
    let service = stack.service(&web.name);
    assert_eq!(stack.rename("blog-web-1", "blog-web-1-was").await, Output::None);
    assert_eq!(stack.rename("blog-web-1", "blog-web-1-was").await, Output::Unchanged);
    assert_eq!(stack.phase("blog-web-1-was").await, RUNNING);
    assert_eq!(stack.service("blog-web-1-was"), service);
    // Its supervisor still looks after it, and its log goes on.
    kill("KILL", &service.to_string());
    assert_eq!(stack.says("blog-web-1-was", 2).await, ["up", "up"]);

    // The name is free for the next one, and taken again after that.
    stack.create(&shell("web", "exec sleep 600")).await;
    let back = Effect::Rename { from: "blog-web-1-was".to_owned(), to: "blog-web-1".to_owned() };
    assert_eq!(stack.try_apply(back).await.unwrap_err().trouble, Trouble::Conflict);
    stack.remove("blog-web-1-was").await;
    assert_eq!(stack.phase("blog-web-1").await, Phase::Created);
}

#[tokio::test]
async fn a_name_that_another_container_has_is_a_conflict() {
    let stack = Stack::new();
    stack.create(&shell("web", "exec sleep 600")).await;
    let mut other = shell("web", "exec sleep 600");
    other.identity = "another".to_owned();
    let error = stack.try_apply(Effect::Create { container: Box::new(other.clone()) }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict);
    other.name = "../../escape".to_owned();
    let error = stack.try_apply(Effect::Create { container: Box::new(other) }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Unsupported);
}

#[tokio::test]
async fn logs_hold_both_streams_in_order_and_can_be_cut_and_followed() {
    let stack = Stack::new();
    let web =
        stack.runs("web", "echo one; echo two >&2; echo three; sleep 0.5; echo four; exec sleep 600").await;
    assert_eq!(stack.says(&web.name, 3).await[..3], ["one", "two", "three"]);
    let tail = LogRequest { tail: Some(1), follow: true };
    let mut lines = stack.engine.logs(&web.name, &tail).await.unwrap();
    let mut heard = Vec::new();
    while heard.last().is_none_or(|line| line != "four") {
        heard.push(tokio::time::timeout(Duration::from_secs(10), lines.recv()).await.unwrap().unwrap());
    }
    assert_eq!(heard, ["three", "four"]);
    drop(lines);
    let tail = LogRequest { tail: Some(2), follow: false };
    assert_eq!(stack.log(&web.name, tail).await, ["three", "four"]);
    let missing = stack.engine.logs("blog-gone-1", &LogRequest::default()).await.unwrap_err();
    assert_eq!(missing.trouble, Trouble::NotFound);
}

#[tokio::test]
async fn a_command_beside_a_service_has_its_surroundings_and_ends_when_nobody_listens() {
    let stack = Stack::new();
    let mut web = shell("web", "exec sleep 600");
    web.settings.environment.insert("COLOUR".to_owned(), Some(stack::Text::literal("blue")));
    stack.create(&web).await;
    let request = host::ExecRequest { command: vec!["true".to_owned()], ..Default::default() };
    assert_eq!(stack.engine.exec(&web.name, &request).await.unwrap_err().trouble, Trouble::Refused);
    stack.start(&web.name).await;
    let (code, out, err) = stack.exec(&web.name, "echo $COLOUR; echo bad >&2; exit 9").await;
    assert_eq!((code, out.as_str(), err.as_str()), (9, "blue\n", "bad\n"));

    let request = host::ExecRequest {
        command: ["sh", "-c", "echo $ONE ${COLOUR-none}; pwd"].map(str::to_owned).to_vec(),
        working_dir: Some("/".to_owned()),
        environment: [("ONE".to_owned(), Some(secrets::Secret::from("1"))), ("COLOUR".to_owned(), None)]
            .into(),
        ..Default::default()
    };
    let running = stack.engine.exec(&web.name, &request).await.unwrap();
    assert_eq!(finish(running).await, (0, "1 none\n/\n".to_owned(), String::new()));
    let request = host::ExecRequest { privileged: true, ..request };
    assert_eq!(stack.engine.exec(&web.name, &request).await.unwrap_err().trouble, Trouble::Unsupported);

    let request = host::ExecRequest { command: vec!["cat".to_owned()], stdin: true, ..Default::default() };
    let mut running = stack.engine.exec(&web.name, &request).await.unwrap();
    let mut stdin = running.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"through").await.unwrap();
    drop(stdin);
    assert_eq!(finish(running).await, (0, "through".to_owned(), String::new()));

    let request = host::ExecRequest { command: vec!["sleep".into(), "601".into()], ..Default::default() };
    let mark = format!("SEAWORTHY_INSTANCE={}", stack.dir(&web.name).file_name().unwrap().display());
    let running = stack.engine.exec(&web.name, &request).await.unwrap();
    let pid = marked(&mark, "sleep\u{0}601").await;
    drop(running);
    dies(pid).await;
    assert!(is_alive(stack.service(&web.name)), "the service itself goes on");
}

/// The process with this mark in its environment that runs this command, once there is one.
async fn marked(mark: &str, command: &str) -> i32 {
    for _ in 0..500 {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let read = |file| std::fs::read(entry.path().join(file)).unwrap_or_default();
            let holds =
                |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            if holds(&read("environ"), mark) && holds(&read("cmdline"), command) {
                return entry.file_name().to_str().unwrap().parse().unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody runs {command:?}");
}
