//! `code-reused`: two versions under one code that are not versions of one item.

use std::sync::Arc;

use super::yaml_places;
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::PolicyDocument;

/// Compares each version with the one before; documents are sorted by code and version.
pub(super) fn check(documents: &[Arc<PolicyDocument>], diagnostics: &mut Vec<Diagnostic>) {
    for pair in documents.windows(2) {
        let [earlier, later] = pair else { continue };
        if earlier.code != later.code || earlier.version == later.version {
            continue;
        }
        let differs = if earlier.subject != later.subject {
            Some(("服务对象", "subject", "subject"))
        } else if earlier.authority_code != later.authority_code && earlier.name.zh != later.name.zh {
            Some(("主管机关和名称", "authority and name", "name"))
        } else if earlier.benefit.kind != later.benefit.kind && earlier.name.zh != later.name.zh {
            Some(("待遇种类和名称", "kind of benefit and name", "name"))
        } else {
            None
        };
        let Some((zh, en, key)) = differs else { continue };
        let code = &later.code;
        diagnostics.push(
            Diagnostic::new(
                &code::CODE_REUSED,
                format!("编码 {code} 用在了另一事项上: 与上一版本的{zh}不同"),
                format!("code {code} is used for another item: its {en} differs from the version before"),
            )
            .at(yaml_places::value(later, &[key]))
            .also(yaml_places::value(earlier, &[key]), "上一版本在这里", "the version before is here")
            .help("一事一码, 编码不重复使用: 另取编码", "one item, one code, and a code is never reused: choose another"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_told, policy, told};

    #[test]
    fn told_of_another_item() {
        let first = policy("条件", "disabled", "100").replace("from: 2024-01-01}", "from: 2024-01-01, to: 2025-01-01}");
        let second = policy("条件", "deceased", "100")
            .replace("from: 2024-01-01}", "from: 2025-01-01}")
            .replace("990100-MZ-0001\n", "990100-MZ-0001\nversion: 2\n");
        check_told(&told(&[&first, &second], &[]), &[]);
        let other = second.replace("name: 津贴\n", "name: 丧葬补助\n").replace("kind: cash", "kind: service");
        check_told(&told(&[&first, &other], &[]), &[("code-reused", "丧葬补助")]);
    }
}
