//! Words of several scripts, for tests that ignore case, in memdex and SQLite.

use super::generate::Rng;
use super::naive::{Row, Shape, Val};
use super::sqlite::{Comparison, fill};
use memdex::query::{Predicate, TextOp, TextTest};
use memdex::{Collection, Query, Record, Store};
use rusqlite::Connection;

/// Words that databases fold in different ways.
const WORDS: [&str; 34] = [
    "",
    "Ägypten",
    "ägypten",
    "ÄGYPTEN",
    "agypten",
    "Straße",
    "STRASSE",
    "STRAẞE",
    "straße",
    "ß",
    "ẞ",
    "ss",
    "Istanbul",
    "İstanbul",
    "ıstanbul",
    "istanbul",
    "i\u{307}stanbul",
    "İ",
    "ı",
    "Kelvin",
    "\u{212A}elvin",
    "KELVIN",
    "Sinus",
    "ſinus",
    "ſ",
    "S",
    "ΣΊΣΥΦΟΣ",
    "σίσυφος",
    "σίσυφοσ",
    "Å",
    "\u{212B}",
    "ångström_100%",
    "a\\B",
    "\u{1F6EB}Ǆǅǆ",
];

/// More letters than `replace` can replace in one expression of SQLite.
const PANGRAM: &str = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich";

#[derive(Clone, Debug, Record)]
pub(super) struct Word {
    #[record(key)]
    number: u32,
    #[record(index)]
    text: Option<String>,
}

pub(super) struct Words {
    collection: Collection<Word>,
    sqlite: Connection,
    shapes: Vec<Shape>,
    rows: Vec<Row>,
}

impl Words {
    pub(super) fn with_sqlite(&self) -> Comparison<'_, Word> {
        let Words { collection, sqlite, shapes, rows } = self;
        Comparison { collection, schema: collection.schema(), sqlite, shapes, rows, id_field: "number" }
    }
}

/// All characters with a case.
fn cased() -> impl Iterator<Item = char> {
    ('\0'..=char::MAX).filter(|c| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]))
}

/// The words, and each character with a case.
pub(super) fn load() -> Words {
    let words = WORDS.iter().map(|word| (*word).to_owned());
    let words = words.chain([PANGRAM.to_owned(), PANGRAM.to_uppercase()]).chain(cased().map(String::from)).map(Some);
    let words = words.chain([None]).zip(0..).map(|(text, number)| Word { number, text });
    let words: Vec<Word> = words.collect();
    let collection = Store::new().collection::<Word>("Word").unwrap();
    words.iter().for_each(|word| _ = collection.store(word.clone()).unwrap());
    let schema = collection.schema();
    let sqlite = Connection::open_in_memory().unwrap();
    fill(&sqlite, "Word", schema, &words);
    let kinds = schema.fields().iter().map(memdex::FieldDef::kind);
    let names = ["number", "text"].into_iter().zip(kinds);
    let shapes: Vec<Shape> = names.map(|(name, kind)| Shape { name, kind, key: name == "number" }).collect();
    let cells = |word: &Word| (0..2).map(|at| Val::of(word.value(at), shapes[at].kind).into_iter().collect()).collect();
    let rows = words.iter().map(cells).collect();
    Words { collection, sqlite, shapes, rows }
}

pub(super) fn queries() -> Vec<Query> {
    let mut rng = Rng(8);
    let mut tests = vec![
        TextTest::ignoring_case(TextOp::Eq, PANGRAM.to_uppercase()),
        TextTest::ignoring_case(TextOp::Contains, PANGRAM),
        TextTest::ignoring_case(TextOp::Like, PANGRAM.replace(' ', "%")),
    ];
    for word in WORDS {
        for text in [word.to_owned(), word.to_lowercase(), word.to_uppercase()] {
            let chars: Vec<char> = text.chars().collect();
            let cut = rng.below(chars.len() + 1);
            let (head, tail): (String, String) = (chars[..cut].iter().collect(), chars[cut..].iter().collect());
            let like = |text: &str| text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
            tests.extend([
                TextTest::ignoring_case(TextOp::Eq, text),
                TextTest::ignoring_case(TextOp::StartsWith, head.clone()),
                TextTest::ignoring_case(TextOp::EndsWith, tail.clone()),
                TextTest::ignoring_case(TextOp::Contains, tail.clone()),
                TextTest::ignoring_case(TextOp::Like, format!("{}%", like(&head))),
                TextTest::ignoring_case(TextOp::Like, format!("_{}%_", like(&tail))),
            ]);
        }
    }
    // Each character with a case is in one of these.
    let cased: Vec<char> = cased().collect();
    tests.extend(cased.chunks(30).map(|chars| {
        let one = chars[rng.below(chars.len())];
        TextTest::ignoring_case(TextOp::Eq, one)
    }));
    let test = |test| Predicate::Text("text".into(), test);
    let query = |filter| Query::over(["Word"]).filter(filter);
    let any = cased
        .chunks(30)
        .map(|chars| Predicate::any_of(chars.iter().map(|c| test(TextTest::ignoring_case(TextOp::Eq, *c)))));
    let any: Vec<Query> = any.map(query).collect();
    let not = !test(TextTest::ignoring_case(TextOp::Contains, "k"));
    tests.into_iter().map(|each| query(test(each))).chain([query(not)]).chain(any).collect()
}
