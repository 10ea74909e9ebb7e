//! Every plan worth a sweep, with the machine it starts on and how it must end.

use std::time::Duration;

use diag::Stop;
use plan::{Effect, Facts, Outcome, Plan, Policy, SetContents};
use stack::ServiceName;
use testkit::{
    Behaviour, ModelHost,
    blog::{blog, crowded_blog, machine, policy},
};

use crate::scene::Scene;

/// Plans the verb on the machine as it is.
type Planner = Box<dyn Fn(&Facts, &Policy) -> Result<Plan, Stop> + Sync + Send>;

/// A verb on a machine.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) host: ModelHost,
    pub(crate) plan: Plan,
    planner: Planner,
    /// It cannot be taken back: an unwinding leaves it half done, and the same verb goes on.
    pub(crate) one_way: bool,
    /// Where taking it back fails, what is left has to be looked at before the verb is typed again.
    pub(crate) for_a_person: bool,
    /// Once it is applied, the same verb makes another one beside it.
    pub(crate) makes_another: bool,
    /// What shows that it succeeded, where its own end does not.
    followed_by: Option<Planner>,
}

impl Subject {
    fn new(
        name: &'static str,
        host: ModelHost,
        planner: impl Fn(&Facts, &Policy) -> Result<Plan, Stop> + Sync + Send + 'static,
    ) -> Self {
        let planner: Planner = Box::new(planner);
        let plan = planned(&host, &planner);
        assert_eq!(plan::lint(&plan), Vec::<String>::new(), "{name}");
        Self {
            name,
            host,
            plan,
            planner,
            one_way: false,
            for_a_person: false,
            makes_another: false,
            followed_by: None,
        }
    }

    /// The machine as an uninterrupted run leaves it, and how that run ends.
    pub(crate) fn whole(&self) -> (ModelHost, Outcome) {
        let mut scene = Scene::new(&self.host, &self.plan);
        let outcome = scene.finish();
        (scene.host, outcome)
    }

    /// Calls that an uninterrupted run makes.
    pub(crate) fn calls(&self) -> usize {
        self.whole().0.calls() - self.host.calls()
    }

    /// The last call whose failure is not forgiven.
    pub(crate) fn deepest(&self) -> usize {
        let housekeeping = self.plan.steps.iter().rev().take_while(|step| step.forgiving).count();
        self.plan.steps.len() - housekeeping
    }

    /// The same verb, typed a minute later on this machine with nothing in its way, and what follows it.
    pub(crate) fn settled(&self, host: &ModelHost) -> (ModelHost, Outcome) {
        let mut host = host.clone();
        host.restart();
        host.give_shares(true);
        let mut outcome = Outcome::Applied;
        for planner in [Some(&self.planner), self.followed_by.as_ref()].into_iter().flatten() {
            host.pass(Duration::from_secs(60));
            host.turn_home();
            let mut scene = Scene::new(&host, &planned(&host, planner));
            outcome = scene.finish();
            host = scene.host;
        }
        (host, outcome)
    }
}

fn planned(host: &ModelHost, planner: &Planner) -> Plan {
    let facts = host.observe();
    planner(&facts, &policy(&facts)).expect("it can be planned")
}

pub(crate) fn applied(host: ModelHost, planner: impl Fn(&Facts, &Policy) -> Result<Plan, Stop>) -> ModelHost {
    let facts = host.observe();
    let plan = planner(&facts, &policy(&facts)).expect("it can be planned");
    let mut scene = Scene::new(&host, &plan);
    assert_eq!(scene.finish(), Outcome::Applied);
    scene.host
}

fn deploying(version: u32) -> impl Fn(&Facts, &Policy) -> Result<Plan, Stop> {
    move |facts, policy| plan::deploy(&blog(version), facts, policy)
}

/// Another db that keeps its data in a volume without a name, and one web less.
fn deploying_crowded(version: u32) -> impl Fn(&Facts, &Policy) -> Result<Plan, Stop> {
    move |facts, policy| plan::deploy(&crowded_blog(version), facts, policy)
}

/// The crowded stack deployed, with three posts written.
pub(crate) fn running_crowded() -> ModelHost {
    let mut host = applied(bootstrapped(), deploying_crowded(1));
    host.write_rows("blog-db-1", "posts", 3);
    host
}

/// The same, where Compose's hashes are known: here they are our identities.
fn adopting(version: u32) -> impl Fn(&Facts, &Policy) -> Result<Plan, Stop> {
    move |facts, policy| {
        let (shape, mut facts) = (blog(version), facts.clone());
        let versions = shape.secrets.keys().map(|name| (name.clone(), 1)).collect();
        for service in shape.services.keys() {
            let made = plan::desired::container(&shape, service, &versions, 1, &policy.state_dir);
            facts.compose.services.insert(service.clone(), made.identity);
        }
        plan::deploy(&shape, &facts, policy)
    }
}

/// Another version of the key store, and of everything else; the migration is built where it runs, and the
/// application comes in an archive.
fn deploying_another_store(facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let mut shape = blog(2);
    shape.services.get_mut(&ServiceName::from("bao")).expect("it has one").image = "bao:3".to_owned();
    let migrate = shape.services.get_mut(&ServiceName::from("migrate")).expect("it has one");
    migrate.image = "migrate:built".to_owned();
    migrate.build = Some(stack::Build { context: "/srv/blog".to_owned(), ..stack::Build::default() });
    let web = shape.services.get_mut(&ServiceName::from("web")).expect("it has one");
    web.image = "app:archived".to_owned();
    web.archive = Some("/srv/blog/app.tar".to_owned());
    let mut facts = facts.clone();
    let seen = match facts.images.contains_key(&web.image) {
        true => plan::ArchiveSeen::Loaded,
        false => plan::ArchiveSeen::Waiting { id: "sha256:00".to_owned() },
    };
    facts.archives.insert(web.image.clone(), seen);
    plan::deploy(&shape, &facts, policy)
}

fn backing_up(facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let mut shape = blog(1);
    shape.backup.keep = Some(1);
    plan::backup(&shape, facts, policy)
}

fn bootstrapped() -> ModelHost {
    applied(machine(), |facts, policy| plan::bootstrap(&blog(1), &[], facts, policy))
}

/// The stack deployed, with three posts written.
pub(crate) fn running() -> ModelHost {
    let mut host = applied(bootstrapped(), deploying(1));
    host.write_rows("blog-db-1", "posts", 3);
    host
}

/// A stack whose set was taken, that wrote two more posts since.
fn backed_up() -> (ModelHost, SetContents) {
    let mut host = applied(running(), backing_up);
    host.write_rows("blog-db-1", "posts", 2);
    host.pass(Duration::from_secs(60));
    let manifest = host.manifests().pop().expect("one set");
    let secrets = host.observe().releases[0].secrets.clone();
    (host, SetContents { manifest, shape: blog(1), secrets })
}

fn destroying(facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    plan::destroy(&blog(1), true, facts, policy)
}

/// The set is all that is left, and the shares are with their holders.
fn lost() -> (ModelHost, SetContents) {
    let (host, contents) = backed_up();
    let mut host = applied(host, destroying);
    host.lose_state_directory();
    host.give_shares(false);
    (host, contents)
}

fn restoring(contents: SetContents) -> impl Fn(&Facts, &Policy) -> Result<Plan, Stop> {
    move |facts, policy| plan::restore(&contents, &plan::restored_shape(&contents, facts), facts, policy)
}

fn drilling(contents: SetContents) -> impl Fn(&Facts, &Policy) -> Result<Plan, Stop> {
    move |facts, policy| plan::drill(&contents, facts, policy)
}

/// A machine that was started again: the key store is sealed, and web stands still.
fn restarted() -> ModelHost {
    let mut host = running();
    for name in ["blog-bao-1", "blog-web-1"] {
        host.apply(&Effect::Stop { container: name.to_owned(), grace: None }).expect("stopped");
    }
    host.apply(&Effect::Start { container: "blog-bao-1".to_owned() }).expect("started");
    host.give_shares(false);
    host
}

/// An upgrade that a person must approve.
fn approved(facts: &Facts, policy: &Policy) -> Result<Plan, Stop> {
    let mut shape = blog(2);
    let approval = stack::Control {
        owner: "operations".to_owned(),
        instruction: "say that it may be noticed now".to_owned(),
        done_when: "the ticket is approved".to_owned(),
        every: None,
    };
    shape.controls.insert("approval".to_owned(), approval);
    plan::deploy(&shape, facts, policy)
}

/// All of them.
pub(crate) fn subjects() -> Vec<Subject> {
    let mut must_pull = bootstrapped();
    for image in ["pg:16", "migrate:1", "app:1"] {
        must_pull.forget_image(image);
        must_pull = must_pull.with_published_image(image);
    }
    let mut bad = running();
    bad.behave("app:2", Behaviour::NeverReady);
    bad.behave("app:archived", Behaviour::NeverReady);
    let mut bad_crowded = running_crowded();
    bad_crowded.behave("nameless:2", Behaviour::NeverReady);
    let mut composed = running();
    composed.give_to_compose();
    let mut bad_composed = bad.clone();
    bad_composed.give_to_compose();
    let mut store = running();
    store.give_shares(false);
    let mut bad_store = bad.clone();
    bad_store.give_shares(false);
    let upgraded = applied(running(), deploying(2));
    let (backed, contents) = backed_up();
    let (lost, set) = lost();
    let mut all = vec![
        Subject::new("bootstrap", machine(), |facts, policy| plan::bootstrap(&blog(1), &[], facts, policy)),
        Subject::new("first deploy", must_pull, deploying(1)),
        Subject::new("upgrade", running(), deploying(2)),
        Subject::new("bad upgrade", bad, deploying(2)),
        Subject::new("approved upgrade", running(), approved),
        Subject::new("upgrade of the key store", store, deploying_another_store),
        Subject::new("bad upgrade of the key store", bad_store, deploying_another_store),
        Subject::new("crowded upgrade", running_crowded(), deploying_crowded(2)),
        Subject::new("bad crowded upgrade", bad_crowded, deploying_crowded(2)),
        Subject::new("adoption", composed.clone(), adopting(1)),
        Subject::new("adoption with an upgrade", composed, adopting(2)),
        Subject::new("bad adoption with an upgrade", bad_composed, adopting(2)),
        Subject::new("rollback", upgraded, |facts, policy| plan::rollback(Some(1), facts, policy)),
        Subject::new("start of what stood still", restarted(), deploying(1)),
        Subject::new("backup", backed.clone(), backing_up),
        Subject::new("restore", lost, restoring(set)),
        Subject::new("restore beside", backed.clone(), restoring(contents.clone())),
        Subject::new("drill", backed.clone(), drilling(contents)),
        Subject::new("destroy", backed, destroying),
        Subject::new("crowded destroy", running_crowded(), |facts, policy| {
            plan::destroy(&crowded_blog(1), true, facts, policy)
        }),
    ];
    for subject in &mut all {
        subject.one_way = subject.name.ends_with("destroy");
        subject.for_a_person = ["backup", "restore", "restore beside", "drill"].contains(&subject.name);
        subject.makes_another = subject.name.starts_with("restore");
        // A ceremony that was held is never held again, whether or not its store still runs; and what a run could not
        // clear away goes with the next good release.
        subject.followed_by = match subject.name {
            "bootstrap" => Some(Box::new(deploying(1))),
            name if name.contains("crowded") => Some(Box::new(deploying_crowded(1))),
            name if name.contains("adoption") => Some(Box::new(adopting(1))),
            name if name.contains("upgrade") => Some(Box::new(deploying(1))),
            "rollback" => Some(Box::new(deploying(2))),
            _ => None,
        };
    }
    all
}
