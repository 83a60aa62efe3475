//! The audit of standing statistics: what readers see, what the committer has accumulated and what it remembers of each row,
//! against the records.

use super::standing::Shown;
use super::table::{Maintained, Table, TableWriter};
use super::verify::Findings;
use crate::error::Commit;
use crate::index::{GroupFigures, GroupKey, Kept, KeptWriter, Recomputed};
use crate::record::Record;
use crate::rowset::Row;
use crate::user_code;
use std::collections::BTreeMap;

/// Nothing if it is an index.
pub(super) fn audit_standing<R: Record>(
    table: &Table<R>,
    writer: &TableWriter,
    maintained: &Maintained,
    live: &[Row],
    published: Commit,
    found: &mut Findings,
) {
    let Maintained { kept: Kept::Standing(standing), writer: KeptWriter::Standing(of_standing), figures, .. } =
        maintained
    else {
        return;
    };
    let Some((shown, filing)) = figures else { return };
    let name = standing.name();
    let mut audit = of_standing.audit(standing);
    let mut recomputed = Recomputed::new(standing);
    let (mut words, mut counted) = (Vec::new(), BTreeMap::<(usize, u32), u32>::new());
    for row in live {
        let version = table.pages.newest(*row);
        let Some(record) = version.as_ref().and_then(|version| version.record.as_ref()) else { continue };
        words.clear();
        writer.words.gather(*row, &mut words);
        let own = &words[maintained.from..maintained.from + maintained.width];
        let agrees = user_code::run(|| {
            recomputed.add(record);
            audit.remembers(own, record)
        });
        found.expect(agrees == Ok(true), || {
            let key = version.as_ref().map(|version| format!("{:?}", version.key)).unwrap_or_default();
            format!("standing statistics {name:?} remember {key} as what it is not")
        });
        audit.numbers(own).for_each(|number| *counted.entry(number).or_default() += 1);
    }
    found.expect(counted.into_iter().eq(audit.counted()), || {
        format!("standing statistics {name:?} count the rows of values wrongly")
    });
    let expected: Vec<(&GroupKey, GroupFigures)> = recomputed.groups().collect();
    let (total, groups) = audit.figures();
    found.expect(groups == expected && total.as_ref().is_none_or(|total| *total == recomputed.total()), || {
        format!("standing statistics {name:?} have accumulated what the records do not come to")
    });
    let agree = shown.read(
        || published,
        |_, of_all, groups| {
            let same = |((key, figures), shown): (&(&GroupKey, GroupFigures), Shown<'_>)| {
                *key == shown.key && *figures == *shown.figures && standing.named(key) == shown.name
            };
            let groups: Vec<Shown<'_>> = groups.collect();
            let same_groups = groups.len() == expected.len() && expected.iter().zip(groups).all(same);
            same_groups && of_all == total.as_ref()
        },
    );
    found.expect(agree == Some(true), || {
        format!("readers of standing statistics {name:?} find what the records do not come to")
    });
    if let Err(problem) = shown.audit(filing) {
        found.expect(false, || format!("standing statistics {name:?}: {problem}"));
    }
}
