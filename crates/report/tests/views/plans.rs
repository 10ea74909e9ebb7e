//! A plan before it is carried out.

use plan::{Verb, set::SetId};
use report::text;

use crate::samples::{deploy, plan_of};

#[test]
fn a_deploy_says_what_happens_to_each_thing_and_what_does_not() {
    let expected = "\
blog · local · release 42 from 41
  web:2       pull                 web needs it
  web         replace, stop first  image `web:1` is now `web:2`
  release 42  good                 release 42 passed its probes
  not done: db is as it should be
7 steps; people may notice from step 3 on: stop web
";
    assert_eq!(text::plan(&deploy()), expected);
}

#[test]
fn every_step_can_be_seen_and_where_impact_starts() {
    let expected = "\
blog · local · release 42 from 41
   1  pull    web:2       web needs it
   2  create  web         image `web:1` is now `web:2`
  — impact starts here —
   3  stop    web         image `web:1` is now `web:2`
   4  keep    web         image `web:1` is now `web:2`
   5  start   web         image `web:1` is now `web:2`
   6  probe   web         image `web:1` is now `web:2`
   7  good    release 42  release 42 passed its probes
  not done: db is as it should be
7 steps; people may notice from step 3 on: stop web
";
    assert_eq!(text::plan_steps(&deploy()), expected);
}

#[test]
fn an_empty_plan_says_so() {
    assert_eq!(text::plan(&plan_of(Verb::Destroy, Vec::new())), "blog · local · destroy\nnothing to do\n");
}

#[test]
fn a_drill_names_its_set_and_its_throwaway() {
    let mut plan = plan_of(Verb::Drill, Vec::new());
    plan.set = Some(SetId("20261121T011447Z-7f3a91c2".to_owned()));
    plan.project = "blog-drill-01".into();
    let head = "blog · local · drill of set 20261121T011447Z-7f3a91c2 as blog-drill-01";
    assert_eq!(text::plan(&plan).lines().next(), Some(head));
}
