//! "Did you mean": the nearest known word.

/// The word of `known` nearest to `word`, when it is near enough to be a typing error.
///
/// Near enough: at most a third of the letters differ, by Damerau-Levenshtein distance.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= word.chars().count().max(candidate.chars().count()))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_word_and_noise_finds_none() {
        assert_eq!(closest("enviroment", ["environment", "expose"]), Some("environment"));
        assert_eq!(closest("ports_", ["ports"]), Some("ports"));
        assert_eq!(closest("zzz", ["ports", "image"]), None);
    }
}
