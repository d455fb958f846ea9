//! The configurations that the README shows, as they are run: only what is a machine's own is replaced.

use crate::harness::place::place;
use anyhow::{Context, Result, ensure};
use std::fs;

/// The block of the README that begins with this line.
pub(crate) fn block(first_line: &str) -> Result<String> {
    let readme = fs::read_to_string(place().workspace.join("README.md"))?;
    let mut blocks = readme.split("\n```").skip(1).step_by(2);
    let block =
        blocks.find_map(|block| block.split_once('\n').filter(|(_, text)| text.starts_with(first_line)));
    let (_language, text) =
        block.with_context(|| format!("the README has no block that begins with {first_line}"))?;
    Ok(text.to_owned())
}

/// `text` with `wanted` instead of `shown`, which must be there once.
pub(crate) fn replaced(text: &str, shown: &str, wanted: &str) -> Result<String> {
    let count = text.matches(shown).count();
    ensure!(count == 1, "{shown} stands {count} times in the README's block\n{text}");
    Ok(text.replace(shown, wanted))
}
