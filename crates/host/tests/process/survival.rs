//! A supervisor that is killed: nothing is lost, nothing is orphaned.

use std::time::Duration;

use host::Trouble;
use plan::{Effect, Output, Phase};
use stack::Restart;

use crate::stack_in_a_directory::{Stack, dies, is_alive, kill, shell};

const RUNNING: Phase = Phase::Running { healthy: None };

/// A service whose supervisor was killed; gives the service's process.
async fn unsupervised(stack: &Stack) -> i32 {
    let mut web = shell("web", "echo up; sleep 600 & wait");
    web.settings.restart = Restart::Always;
    stack.create(&web).await;
    stack.start("blog-web-1").await;
    stack.says("blog-web-1", 1).await;
    let supervisor = stack.supervisor("blog-web-1");
    kill("KILL", &supervisor.to_string());
    dies(supervisor).await;
    stack.service("blog-web-1")
}

#[tokio::test]
async fn a_service_whose_supervisor_was_killed_runs_on_and_is_seen_running() {
    let stack = Stack::new();
    let service = unsupervised(&stack).await;
    assert_eq!(stack.phase("blog-web-1").await, RUNNING);
    assert!(is_alive(service));
}

#[tokio::test]
async fn a_stop_without_a_supervisor_leaves_nothing_running() {
    let stack = Stack::new();
    let service = unsupervised(&stack).await;
    assert_eq!(stack.stop("blog-web-1").await, Output::None);
    assert!(!is_alive(service));
    assert!(matches!(stack.phase("blog-web-1").await, Phase::Exited { .. }));
    assert_eq!(stack.stop("blog-web-1").await, Output::Unchanged);
    nobody_carries_the_mark(&stack);
}

#[tokio::test]
async fn a_removal_without_a_supervisor_leaves_nothing_running() {
    let stack = Stack::new();
    let service = unsupervised(&stack).await;
    let mark = stack.dir("blog-web-1").file_name().unwrap().to_owned();
    stack.remove("blog-web-1").await;
    assert!(!is_alive(service));
    assert!(carriers(mark.to_str().unwrap()).is_empty());
}

#[tokio::test]
async fn a_start_takes_a_running_service_over_and_its_policy_holds_again() {
    let stack = Stack::new();
    let service = unsupervised(&stack).await;
    assert_eq!(stack.start("blog-web-1").await, Output::None);
    assert_eq!(stack.service("blog-web-1"), service, "it was not restarted");
    assert_eq!(stack.start("blog-web-1").await, Output::Unchanged);
    kill("KILL", &service.to_string());
    assert_eq!(stack.says("blog-web-1", 2).await, ["up", "up"]);
    stack.becomes("blog-web-1", RUNNING).await;
    stack.stop("blog-web-1").await;
    nobody_carries_the_mark(&stack);
}

#[tokio::test]
async fn a_supervisor_killed_at_any_moment_of_a_start_leaves_one_service_after_the_next_start() {
    let stack = Stack::new();
    let web = shell("web", "exec sleep 600");
    stack.create(&web).await;
    let mark = stack.dir(&web.name).file_name().unwrap().to_str().unwrap().to_owned();
    for millis in 0..15 {
        let before = stack.state_of(&web.name)["supervisor"].clone();
        let start = stack.try_apply(Effect::Start { container: web.name.clone() });
        let cut = async {
            while stack.state_of(&web.name)["supervisor"] == before {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            tokio::time::sleep(Duration::from_millis(millis)).await;
            kill("KILL", &stack.supervisor(&web.name).to_string());
        };
        // It may have been in time or not.
        let _ = tokio::join!(start, cut);
        stack.start(&web.name).await;
        assert_eq!(stack.phase(&web.name).await, RUNNING, "cut after {millis} ms");
        assert_eq!(carriers(&mark), [stack.service(&web.name)], "cut after {millis} ms");
        stack.stop(&web.name).await;
        assert!(carriers(&mark).is_empty(), "cut after {millis} ms");
    }
}

#[tokio::test]
async fn children_of_a_service_that_died_unseen_are_ended_before_the_next_one_starts() {
    let stack = Stack::new();
    let service = unsupervised(&stack).await;
    kill("KILL", &service.to_string());
    dies(service).await;
    assert_eq!(stack.phase("blog-web-1").await, Phase::Exited { code: -1 });
    let mark = stack.dir("blog-web-1").file_name().unwrap().to_str().unwrap().to_owned();
    let left = carriers(&mark);
    assert_eq!(left.len(), 1, "its child outlived it");
    stack.start("blog-web-1").await;
    assert!(!is_alive(left[0]));
}

#[tokio::test]
async fn a_process_that_got_the_number_of_a_service_is_not_taken_for_it() {
    let stack = Stack::new();
    let web = stack.runs("web", "exit 0").await;
    stack.becomes(&web.name, Phase::Exited { code: 0 }).await;
    dies(stack.supervisor(&web.name)).await;
    // As a crash would leave it, with a number that somebody else, this test, has now.
    let mut state = stack.state_of(&web.name);
    state["stage"] = serde_json::json!({ "phase": "running" });
    state["leader"]["birth"]["pid"] = std::process::id().into();
    std::fs::write(stack.dir(&web.name).join("state.json"), state.to_string()).unwrap();
    assert_eq!(stack.phase(&web.name).await, Phase::Exited { code: -1 });
    stack.stop(&web.name).await;
    stack.remove(&web.name).await;
}

#[tokio::test]
async fn what_a_crash_left_of_a_container_without_a_name_is_cleared_away() {
    let stack = Stack::new();
    stack.create(&shell("db", "exec sleep 600")).await;
    let half = stack.state.path().join("process/blog/instances/0123456789abcdef");
    std::fs::create_dir(&half).unwrap();
    stack.create(&shell("web", "exec sleep 600")).await;
    assert!(!half.exists());
    assert_eq!(stack.seen().await.len(), 2);
}

#[tokio::test]
async fn starting_what_is_not_there_is_not_found() {
    let stack = Stack::new();
    let error = stack.try_apply(Effect::Start { container: "blog-web-1".to_owned() }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::NotFound);
}

fn nobody_carries_the_mark(stack: &Stack) {
    let mark = stack.dir("blog-web-1").file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(carriers(&mark), Vec::<i32>::new());
}

/// Living processes that carry the instance's mark.
fn carriers(instance: &str) -> Vec<i32> {
    let mark = format!("SEAWORTHY_INSTANCE={instance}");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        is_alive(*pid) && environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    })
    .collect()
}
