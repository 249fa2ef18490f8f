//! What is never written, whatever the configuration says.

/// Words of names that stand for what must not pass, and why.
const PROTECTED: [(&str, &[&str]); 5] = [
    (
        "a statute of limitations is computed by CASEpeer, and a wrong date loses a case",
        &["statute", "sol", "limitations"],
    ),
    ("a social security number has no business in a bridge", &["ssn", "social", "tin", "itin"]),
    (
        "medical facts stay in the case file",
        &[
            "medical",
            "medicals",
            "medicine",
            "medication",
            "medications",
            "diagnosis",
            "diagnoses",
            "treatment",
            "treatments",
            "injury",
            "injuries",
            "provider",
            "doctor",
            "hospital",
            "health",
            "hipaa",
        ],
    ),
    (
        "insurance data stay in the case file",
        &["insurance", "insurer", "policy", "adjuster", "claim", "medicare", "medicaid"],
    ),
    (
        "money of the case stays in the case file",
        &[
            "settlement",
            "settlements",
            "demand",
            "demands",
            "offer",
            "offers",
            "lien",
            "liens",
            "fee",
            "fees",
            "bill",
            "bills",
            "disbursement",
            "disbursements",
            "verdict",
            "award",
        ],
    ),
];

/// Why a field of this name is never written; nothing if it may be.
pub fn why_protected(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let is_part = |word: &&str| {
        lower.split(|letter: char| !letter.is_alphanumeric()).any(|part| part == *word)
            // Camel case and words run together.
            || (word.len() > 4 && lower.contains(*word))
    };
    let (why, _) = PROTECTED.iter().find(|(_, words)| words.iter().any(is_part))?;
    Some(format!("`{name}` is protected and never written: {why}"))
}
