//! What the fuzz target `scenario` (`fuzz/`) runs, on random texts.

#[path = "text/any.rs"]
mod any;

use std::path::Path;

use pinring_sim::{fuzz, scenario};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// A scenario with some bytes replaced, removed or repeated.
    #[test]
    fn a_spoilt_file_is_refused_with_its_place(index in 0u64..1000, edits in prop::collection::vec((any::<prop::sample::Index>(), ".{0,3}", 0usize..4), 1..5)) {
        let mut text = toml::to_string(&fuzz::case(5, index, &[128])).unwrap();
        for (place, with, removed) in edits {
            // What is written is ASCII, until something else was put in.
            let mut from = place.index(text.len());
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            let mut to = (from + removed).min(text.len());
            while !text.is_char_boundary(to) {
                to += 1;
            }
            text.replace_range(from..to, &with);
        }
        any::read(&text);
    }

    #[test]
    fn any_text_is_refused_with_its_place(text in "(\\PC|\n|[a-z_]{1,8} = [0-9]{1,20}\n|\\[{1,2}[a-z]{1,7}\\]{1,2}\n){0,20}") {
        any::read(&text);
    }
}

#[test]
fn what_ships_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            assert!(any::read(&std::fs::read_to_string(path).unwrap()));
            read += 1;
        }
    }
    assert!(read > 3);
}
