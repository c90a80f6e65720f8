//! What a misspelt name was probably meant to be.

/// How alike a misspelt name has to be to one that is allowed, 0 to 1.
const ALIKE: f64 = 0.6;

/// The allowed name that a misspelt one is nearest to, if it is near enough.
pub fn nearest<'n>(name: &str, allowed: &[&'n str]) -> Option<&'n str> {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    allowed
        .iter()
        .map(|known| (likeness(known), *known))
        .filter(|(likeness, _)| ALIKE <= *likeness)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
