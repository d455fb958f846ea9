//! The README names every limit with the default that it has.
#![expect(clippy::disallowed_methods, reason = "the test reads the repository's own files")]

use server::config::setting;
use server::metrics::Limit;

#[test]
fn the_readme_has_every_limit_with_its_default() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    for limit in Limit::ALL {
        let name = limit.setting();
        let default = setting(name).and_then(|setting| setting.default).expect("every limit has a default");
        assert!(readme.contains(&format!("| `{name}` | {default} |")), "no row of {name} with {default}");
    }
}
