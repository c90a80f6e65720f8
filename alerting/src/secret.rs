//! Secrets of a configuration: in a file or an environment variable of the operator's, never in the configuration itself.

use std::path::Path;

/// The secret that the keys `{name}_file` or `{name}_env` of a table point to, the file before the variable; line ends
/// at the end of a file are not part of it. `None`: neither is named.
///
/// # Errors
/// It cannot be read: the key, and what was to be read.
pub fn read(
    name: &str,
    file: Option<&Path>,
    variable: Option<&str>,
) -> Result<Option<String>, String> {
    let secret = match (file, variable) {
        (Some(path), _) => std::fs::read_to_string(path)
            .map_err(|error| format!("{name}_file: `{}`: {error}", path.display()))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        (None, Some(variable)) => {
            std::env::var(variable).map_err(|error| format!("{name}_env: `{variable}`: {error}"))?
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(secret))
}
