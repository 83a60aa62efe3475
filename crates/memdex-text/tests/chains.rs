//! Filters, chains and analyzers by name.

use memdex_text::{Analyzer, Analyzers, Chain, InvalidGrams, Language, NameTaken, Tokenizer, UnknownAnalyzer};
use proptest::prelude::*;

fn terms(analyzer: &str, text: &str) -> Vec<String> {
    Analyzers::default().get(analyzer).unwrap().terms(text)
}

#[test]
fn analyzers_have_names() {
    assert_eq!(terms("standard", "The Straße's ÉTÉ"), ["the", "straße's", "été"]);
    assert_eq!(
        terms("folded", "Ångström Straße cœur ŁÓDŹ Þór ﬁn"),
        ["angstrom", "strasse", "coeur", "lodz", "thor", "fin"]
    );
    assert_eq!(terms("folded", "हिन्दी 한국어 ｶﾅ Ελλάδα"), ["हिन्दी", "한국어", "カナ", "ελλαδα"]);
    assert_eq!(terms("whitespace", " a-B\tc\n"), ["a-B", "c"]);
    assert_eq!(terms("keyword", " Of two words "), [" Of two words "]);
    assert_eq!(terms("keyword", ""), [""; 0]);
    assert_eq!(
        terms("english", "The payments were refunded to these customers"),
        ["payment", "were", "refund", "custom"]
    );
    assert_eq!(terms("french", "L'avion des Américaines, qu’ils aiment"), ["avion", "américain", "aiment"]);
    assert_eq!(terms("german", "Die Häuser der Straßen"), ["haus", "strass"]);
    assert_eq!(terms("spanish", "Las canciones de los niños"), ["cancion", "niñ"]);
    let known = ["english", "folded", "french", "german", "keyword", "spanish", "standard", "whitespace"];
    assert!(Analyzers::default().names().eq(known));

    let mut analyzers = Analyzers::default();
    let taken = analyzers.add("standard", Chain::new(Tokenizer::Whole)).unwrap_err();
    assert_eq!(taken.to_string(), "another analyzer has the name \"standard\": choose another name");
    let NameTaken { name, .. } = taken;
    assert_eq!(
        (&*name, analyzers.get("standard").unwrap().terms("A b")),
        ("standard", vec!["a".to_owned(), "b".into()])
    );
    let UnknownAnalyzer { name, known: all, .. } = analyzers.get("englisch").unwrap_err();
    assert_eq!((&*name, all), ("englisch", known.map(str::to_owned).to_vec()));
}

/// From the descriptions of the algorithms.
#[test]
fn stems_are_those_of_snowball() {
    let stems = |language: Language, words: &str| -> Vec<String> {
        words.split(' ').map(|word| language.stem(word).into_owned()).collect()
    };
    let same = |language, words, stem: &str| assert!(stems(language, words).iter().all(|of| of == stem), "{words}");
    same(Language::English, "consign consigned consigning consignment", "consign");
    same(Language::English, "knock knocks knocked knocking", "knock");
    same(Language::French, "continu continua continuait continuant continuation", "continu");
    same(Language::German, "aufeinander aufeinanders", "aufeinand");
    same(Language::Spanish, "cheque cheques", "chequ");
    assert_eq!(stems(Language::English, "skis dying news happy"), ["ski", "die", "news", "happi"]);
    assert_eq!(Language::English.stem(""), "");
}

#[test]
fn dropped_words_leave_gaps() {
    let mut found = Vec::new();
    let text = "The king of the Swiss";
    Analyzers::default().get("english").unwrap().analyze(text, &mut |token| {
        found.push((token.term.to_owned(), token.position, &text[token.start..token.end]));
    });
    assert_eq!(found, [("king".to_owned(), 1, "king"), ("swiss".to_owned(), 4, "Swiss")]);
}

#[test]
fn grams_share_the_position_of_their_word() {
    let chain = |grams: fn(Chain) -> Result<Chain, InvalidGrams>| grams(Chain::new(Tokenizer::Words)).unwrap();
    let grams = |chain: &Chain, text: &str| {
        let mut found = Vec::new();
        chain.analyze(text, &mut |token| found.push(format!("{}{}", token.term, token.position)));
        found
    };
    assert_eq!(grams(&chain(|of| of.ngrams(2..=3)), "zürn a bc"), ["zü0", "zür0", "ür0", "ürn0", "rn0", "bc2"]);
    assert_eq!(grams(&chain(|of| of.edge_ngrams(1..=2)), "zürn a"), ["z0", "zü0", "a1"]);
    #[expect(clippy::reversed_empty_ranges, reason = "it is refused")]
    for (lengths, text) in [(0..=2, "0 to 2"), (3..=2, "3 to 2"), (1..=65, "1 to 65")] {
        let refused = Chain::new(Tokenizer::Words).ngrams(lengths.clone()).unwrap_err();
        assert!(refused.to_string().contains(text), "{refused}");
        assert!(Chain::new(Tokenizer::Words).edge_ngrams(lengths).is_err());
    }
}

#[test]
fn case_is_changed_character_by_character() {
    assert_eq!(terms("standard", "ΟΔΥΣΣΕΥΣ İstanbul"), ["οδυσσευσ", "istanbul"]);
}

proptest! {
    #[test]
    fn folded_texts_fold_to_themselves(text in r"(\PC|[a-zß-ɏ\u{300}-\u{36f}]){0,30}") {
        let chain = Chain::new(Tokenizer::Whole).fold().lowercase();
        let folded = chain.terms(&text).concat();
        prop_assert_eq!(chain.terms(&folded).concat(), folded);
    }

    #[test]
    fn all_analyzers_accept_all_texts(text in r"(\PC|['’\u{300}-\u{36f}a-z]){0,60}") {
        let analyzers = Analyzers::default();
        for name in analyzers.names() {
            let (mut last, analyzer) = (0, analyzers.get(name).unwrap());
            analyzer.analyze(&text, &mut |token| {
                assert!(token.position >= last && token.start <= token.end && text.is_char_boundary(token.start), "{token:?}");
                assert!(!token.term.is_empty() && text.is_char_boundary(token.end));
                last = token.position;
            });
            prop_assert_eq!(analyzer.terms(&text), analyzer.terms(&text));
        }
    }
}
