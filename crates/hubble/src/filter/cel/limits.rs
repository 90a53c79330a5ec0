//! What an expression may cost. Comprehensions are what makes one long: how often they run is bounded by
//! how many there are and by how long the lists in the text can be.

use crate::filter::Why;

const MOST_COMPREHENSIONS: usize = 2;
/// Of an expression with comprehensions.
const MOST_COMMAS: usize = 64;

const COMPREHENSIONS: [&str; 5] = [".all", ".exists", ".exists_one", ".map", ".filter"];

/// Refuses what could take long.
pub(super) fn check(text: &str) -> Result<(), Why> {
    let opens =
        text.match_indices('(').map(|(at, _)| text.get(..at).unwrap_or_default().trim_end());
    let is_comprehension = |before: &&str| COMPREHENSIONS.iter().any(|name| before.ends_with(name));
    let count = opens.filter(is_comprehension).count();
    if count > MOST_COMPREHENSIONS {
        return Err(Why::Cel(format!("at most {MOST_COMPREHENSIONS} of all, exists, map, filter")));
    }
    if count > 0 && text.matches(',').count() > MOST_COMMAS {
        return Err(Why::Cel(format!(
            "at most {MOST_COMMAS} commas beside all, exists, map, filter"
        )));
    }
    Ok(())
}
