//! What belongs to others is never touched, and what stands in the way is named.

use std::error::Error;

use host::{Docker, Engine, EngineError, Trouble};
use plan::{Effect, Mark, Output, Thing};
use stack::Port;

use crate::support::{Stack, create};

fn told(error: &EngineError) -> String {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source} ({})", error.hint.clone().unwrap_or_default())
}

#[tokio::test]
async fn a_container_name_of_another_stack_is_a_conflict_that_names_it() {
    let Some(stack) = Stack::new("names").await else { return };
    let Some(other) = Stack::new("names").await else { return };
    let theirs = other.container("app", "sleep 60");
    other.apply(&create(&theirs)).await.unwrap();
    let mut ours = stack.container("app", "sleep 60");
    ours.name.clone_from(&theirs.name);
    let error = stack.apply(&create(&ours)).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict);
    assert!(told(&error).contains(&other.project), "{}", told(&error));
}

#[tokio::test]
async fn a_network_or_volume_of_another_stack_is_a_conflict_that_names_it() {
    let Some(stack) = Stack::new("owners").await else { return };
    let Some(other) = Stack::new("owners").await else { return };
    let (mut network, mut volume) = (other.network("n", false), other.volume("v"));
    other.apply(&Effect::EnsureNetwork { network: network.clone() }).await.unwrap();
    other.apply(&Effect::EnsureVolume { volume: volume.clone() }).await.unwrap();
    network.labels = stack.labels();
    volume.labels = stack.labels();
    for effect in [Effect::EnsureNetwork { network: network.clone() }, Effect::EnsureVolume { volume }] {
        let error = stack.apply(&effect).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Conflict);
        assert!(told(&error).contains(&other.project), "{}", told(&error));
    }
    network.labels = other.labels();
    network.internal = true;
    let error = other.apply(&Effect::EnsureNetwork { network }).await.unwrap_err();
    assert!(told(&error).contains("is not internal where it should be internal"), "{}", told(&error));
}

#[tokio::test]
async fn what_no_stack_made_is_never_touched() {
    let Some(stack) = Stack::new("foreign").await else { return };
    let client = bollard::Docker::connect_with_unix_defaults().unwrap();
    let name = stack.name("foreign");
    let request = bollard::models::VolumeCreateRequest { name: Some(name.clone()), ..Default::default() };
    client.create_volume(request).await.unwrap();
    let error = stack.apply(&Effect::RemoveVolume { name: name.clone() }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict);
    let error = stack.apply(&Effect::RemoveNetwork { name: "bridge".into() }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict);
    client.remove_volume(&name, None::<bollard::query_parameters::RemoveVolumeOptions>).await.unwrap();
}

#[tokio::test]
async fn what_another_plan_made_is_neither_taken_for_ours_nor_removed_with_it() {
    let Some(stack) = Stack::new("marks").await else { return };
    let (ours, theirs) = (Mark("ours".into()), Mark("theirs".into()));
    let (mut network, mut volume) = (stack.network("n", false), stack.volume("v"));
    let mut app = stack.container("app", "sleep 60");
    for labels in [&mut network.labels, &mut volume.labels, &mut app.labels] {
        theirs.put_on(labels);
    }
    stack.apply_twice(&Effect::EnsureNetwork { network: network.clone() }).await;
    stack.apply_twice(&Effect::MakeVolume { volume: volume.clone() }).await;
    stack.apply_twice(&create(&app)).await;

    let things = [
        (Thing::Container, app.name.clone()),
        (Thing::Network, network.name.clone()),
        (Thing::Volume, volume.name.clone()),
    ];
    ours.put_on(&mut app.labels);
    ours.put_on(&mut volume.labels);
    for making in [create(&app), Effect::MakeVolume { volume: volume.clone() }] {
        let error = stack.apply(&making).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Conflict);
        assert!(told(&error).contains("made by somebody else"), "{}", told(&error));
    }
    for (thing, name) in &things {
        let unmake = Effect::Unmake { thing: *thing, name: name.clone(), mark: ours.clone() };
        assert_eq!(stack.apply(&unmake).await.unwrap(), Output::Unchanged, "{name}");
    }
    for (thing, name) in things {
        stack.apply_twice(&Effect::Unmake { thing, name, mark: theirs.clone() }).await;
    }
}

#[tokio::test]
async fn a_host_port_that_is_held_is_a_conflict_that_names_port_and_holder() {
    let Some(stack) = Stack::new("ports").await else { return };
    let Some(other) = Stack::new("ports").await else { return };
    let (own, network) = (stack.network("n", false), other.network("n", false));
    other.apply(&Effect::EnsureNetwork { network: network.clone() }).await.unwrap();
    stack.apply(&Effect::EnsureNetwork { network: own.clone() }).await.unwrap();
    let publish = |port| Port { host_ip: Some("127.0.0.1".into()), ..Port::tcp(port, 80) };
    let mut theirs = other.container("web", "sleep 60");
    theirs.settings.ports = vec![publish(None)];
    theirs.networks = crate::support::joined(&[&network.name]);
    other.run(&theirs).await;
    let port = other.seen(&theirs.name).await.unwrap().ports[0].1;
    let mut ours = stack.container("web", "sleep 60");
    ours.settings.ports = vec![publish(Some(port))];
    ours.networks = crate::support::joined(&[&own.name]);
    stack.apply(&create(&ours)).await.unwrap();
    let start = Effect::Start { container: ours.name.clone() };
    let error = stack.apply(&start).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict);
    let told = told(&error);
    assert!(told.contains(&format!("host port {port} is held by container `{}`", theirs.name)), "{told}");
    let mut scope = stack.scope();
    scope.ports = vec![port];
    let held = stack.engine.observe(&scope).await.unwrap().host.ports_held;
    assert_eq!(held[&port], format!("container `{}` of stack `{}`", theirs.name, other.project));
    // Once it is let go, the same effect works.
    other.apply(&Effect::Remove { container: theirs.name }).await.unwrap();
    assert_eq!(stack.apply(&start).await.unwrap(), Output::None);
}

#[tokio::test]
async fn a_network_in_use_is_not_removed_and_its_users_are_named() {
    let Some(stack) = Stack::new("inuse").await else { return };
    let network = stack.network("n", false);
    stack.apply(&Effect::EnsureNetwork { network: network.clone() }).await.unwrap();
    let mut app = stack.container("app", "sleep 60");
    app.networks = crate::support::joined(&[&network.name]);
    stack.run(&app).await;
    let error = stack.apply(&Effect::RemoveNetwork { name: network.name }).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict);
    assert!(told(&error).contains(&app.name), "{}", told(&error));
}

#[tokio::test]
async fn an_image_that_is_nowhere_is_an_error_with_a_hint() {
    let Some(stack) = Stack::new("image").await else { return };
    let image = "localhost:1/swt-host-absent:1".to_owned();
    let error = stack
        .apply(&Effect::EnsureImage { image: image.clone(), platform: None, always: false, id: None })
        .await
        .unwrap_err();
    assert!(matches!(error.trouble, Trouble::NotFound | Trouble::Refused), "{}", told(&error));
    assert!(error.hint.is_some());
    let mut app = stack.container("app", "sleep 60");
    app.settings.image = image;
    let error = stack.apply(&create(&app)).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::NotFound);
}

#[tokio::test]
async fn a_program_that_is_not_in_the_image_is_told_by_the_engine() {
    let Some(stack) = Stack::new("program").await else { return };
    let mut app = stack.container("app", "");
    app.settings.entrypoint = Some(vec![stack::Text::literal("/no/such")]);
    stack.apply(&create(&app)).await.unwrap();
    let error = stack.apply(&Effect::Start { container: app.name.clone() }).await.unwrap_err();
    assert!(told(&error).contains("/no/such"), "{}", told(&error));
    // Taking the step back works on what never ran.
    assert_eq!(stack.apply(&Effect::Remove { container: app.name }).await.unwrap(), Output::None);
}

#[tokio::test]
async fn an_engine_that_is_not_there_says_what_else_could_be_used() {
    let error = Docker::connect_to("unix:///nonexistent.sock").await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Absent);
    assert!(told(&error).contains("--engine process"));
}
