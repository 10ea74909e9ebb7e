//! Every call made twice: after a crash nobody can know whether the last one took effect.

use crate::{scene::Scene, subjects::subjects};

#[test]
fn every_call_may_be_made_twice() {
    let mut cases = 0;
    for subject in subjects() {
        let (once, outcome) = subject.whole();
        let mut host = subject.host.clone();
        host.repeat_every_call();
        let mut scene = Scene::new(&host, &subject.plan);
        assert_eq!(scene.finish(), outcome, "{}", subject.name);
        assert_eq!(scene.host.looks(), once.looks(), "{}", subject.name);
        cases += scene.host.calls() - host.calls();
    }
    println!("repeat: {cases} calls made twice");
}
