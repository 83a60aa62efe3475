//! Executes a query by every plan that the planner could make.

use memdex::Record;
use memdex::query::Find;

/// Executes a query by every plan, at most `most` of them, and returns their number.
pub(crate) fn by_every_plan<R: Record>(find: &Find<R>, most: usize, answer: impl FnMut(Find<R>)) -> usize {
    by_every_plan_and(find, &[], most, answer)
}

/// The same, with further decisions after those of the planner, given as the number of choices of each.
pub(crate) fn by_every_plan_and<R: Record>(
    find: &Find<R>,
    more: &[usize],
    most: usize,
    mut answer: impl FnMut(Find<R>),
) -> usize {
    let (mut script, mut plans) = (Vec::new(), 0);
    loop {
        let scripted = find.clone().with_plan(script.clone());
        let mut ways = scripted.plan_alternatives().unwrap();
        ways.extend(more);
        answer(scripted);
        plans += 1;
        // The last decision with a choice left takes the next choice; all later decisions start over.
        script.resize(ways.len(), 0);
        let Some(at) = (0..ways.len()).rev().find(|at| script[*at] + 1 < ways[*at]).filter(|_| plans < most) else {
            return plans;
        };
        script[at] += 1;
        script.truncate(at + 1);
    }
}
