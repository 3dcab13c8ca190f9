//! Processor names made comparable: `/proc/cpuinfo` and price lists spell one processor in many ways.

/// The part of a processor's name that tells it from others, in lower case and single blanks.
///
/// Marks, the words "CPU" and "Processor", the nominal frequency, the number of cores in words, the
/// generation before "Intel" and the graphics are left out; a missing maker is put in.
pub fn comparable_name(name: &str) -> String {
    let mut name = name.to_lowercase();
    for mark in ["(r)", "(tm)", "(c)", "®", "™"] {
        name = name.replace(mark, "");
    }
    for tail in ["@", " with radeon", " w/ radeon", " with amd radeon"] {
        name.truncate(name.find(tail).unwrap_or(name.len()));
    }
    let words: Vec<&str> = name.split_whitespace().filter(|word| !says_nothing(word)).collect();
    let words = match words.as_slice() {
        [_, "gen", rest @ ..] if rest.first() == Some(&"intel") => rest,
        all => all,
    };
    match words.first() {
        Some(&("xeon" | "core" | "pentium" | "celeron" | "atom")) => {
            format!("intel {}", words.join(" "))
        }
        Some(&("epyc" | "ryzen" | "opteron" | "athlon")) => format!("amd {}", words.join(" ")),
        _ => words.join(" "),
    }
}

/// Whether a word is in the name of every processor, or only counts its cores ("16-Core", "Eight-Core").
fn says_nothing(word: &str) -> bool {
    matches!(word, "cpu" | "processor" | "processors") || word.ends_with("-core")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_names_of_real_machines() {
        for (cpuinfo, comparable) in [
            ("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", "intel core i7-8650u"),
            ("12th Gen Intel(R) Core(TM) i7-12700K", "intel core i7-12700k"),
            ("Intel(R) Core(TM) Ultra 7 155H", "intel core ultra 7 155h"),
            ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "intel xeon e5-2686 v4"),
            ("Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", "intel xeon gold 6130"),
            ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "intel xeon platinum 8375c"),
            ("Intel(R) Xeon(R) Processor @ 2.60GHz", "intel xeon"),
            ("Intel Xeon Processor (Skylake, IBRS)", "intel xeon (skylake, ibrs)"),
            ("Intel(R) N100", "intel n100"),
            ("Intel(R) Celeron(R) CPU  J3455  @ 1.50GHz", "intel celeron j3455"),
            ("AMD EPYC 7R13 Processor", "amd epyc 7r13"),
            ("AMD EPYC 9654 96-Core Processor", "amd epyc 9654"),
            ("AMD Ryzen 9 7950X 16-Core Processor", "amd ryzen 9 7950x"),
            ("AMD Ryzen 7 4800H with Radeon Graphics", "amd ryzen 7 4800h"),
            ("AMD FX(tm)-8350 Eight-Core Processor            ", "amd fx-8350"),
        ] {
            assert_eq!(comparable_name(cpuinfo), comparable, "{cpuinfo}");
        }
    }

    #[test]
    fn a_missing_maker_is_put_in() {
        assert_eq!(comparable_name("Xeon E7-8867 v3"), "intel xeon e7-8867 v3");
        assert_eq!(comparable_name("Ryzen 5 3600"), "amd ryzen 5 3600");
    }
}
