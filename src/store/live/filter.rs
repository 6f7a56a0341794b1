//! Which cases, as SQL that both databases read.

use super::{CaseFilter, NO_DAY, behind, kind_number};

impl CaseFilter {
    /// What follows the name of the table, and the values of its parameters, which are numbered behind `sign`.
    pub(in crate::store) fn sql(&self, sign: char) -> (String, Vec<String>) {
        let (mut terms, mut values): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        // `@` stands for the next parameter.
        let mut term = |sql: &str, of: &[&str]| {
            let mut parts = sql.split('@');
            let mut text = parts.next().unwrap_or_default().to_owned();
            for (part, value) in parts.zip(of) {
                values.push((*value).to_owned());
                text.push_str(&format!("{sign}{}{part}", values.len()));
            }
            terms.push(text);
        };
        if let Some(policy) = &self.policy {
            term("policy = @", &[policy]);
        }
        if let Some(department) = &self.department {
            term("department = @", &[department]);
        }
        if let Some(region) = &self.region {
            term("region >= @ AND region < @", &[region, &behind(region)]);
        }
        if !self.subjects.is_empty() {
            let each = self.subjects.iter().map(|(kind, _)| format!("subject = @ AND kind = {}", kind_number(*kind)));
            let subjects: Vec<&str> = self.subjects.iter().map(|(_, subject)| subject.as_str()).collect();
            term(&format!("({})", each.collect::<Vec<_>>().join(" OR ")), &subjects);
        }
        if let Some(until) = &self.due_until {
            // No day comes after every day.
            term("due <= @", &[&until.to_string()]);
        }
        if let Some(in_review) = self.in_review {
            term(if in_review { "in_review = TRUE" } else { "in_review = FALSE" }, &[]);
        }
        if !self.steps.is_empty() {
            let steps: Vec<&str> = self.steps.iter().map(String::as_str).collect();
            term(&format!("step IN ({})", vec!["@"; steps.len()].join(", ")), &steps);
        }
        match &self.after {
            Some(after) if self.by_due => {
                let due = after.due.map_or_else(|| NO_DAY.to_owned(), |day| day.to_string());
                term("(due, id) > (@, @)", &[&due, &after.id]);
            }
            Some(after) => term("id > @", &[&after.id]),
            None => {}
        }
        let wanted = if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) };
        let order = if self.by_due { "due, id" } else { "id" };
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        (format!("{wanted} ORDER BY {order} LIMIT {limit}"), values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_and_no_value_is_in_the_text() {
        let filter = CaseFilter {
            policy: Some("' OR 1 = 1 @".to_owned()),
            steps: vec!["found".to_owned(), "told".to_owned()],
            in_review: Some(true),
            limit: 7,
            ..CaseFilter::default()
        };
        let (sql, values) = filter.sql('$');
        assert_eq!(sql, " WHERE policy = $1 AND in_review = TRUE AND step IN ($2, $3) ORDER BY id LIMIT 7");
        assert_eq!(values, ["' OR 1 = 1 @", "found", "told"]);
        assert_eq!(CaseFilter::default().sql('?').0, " ORDER BY id LIMIT 0");
    }
}
