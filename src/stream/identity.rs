//! Who somebody is today, by the identity links that a live store holds now.

use std::collections::BTreeSet;

use super::rows::RowForm;
use crate::dossier::identity::{Identities, IdentityLink, links_of};
use crate::dossier::intake::IDENTITY_LINKS;
use crate::register::declaration::Registers;
use crate::store::StoreError;
use crate::store::live::{Live, LiveState};

/// The identities of all that links tie to an identifier, as the judge of the state's day has them.
///
/// # Errors
///
/// When the store cannot be read, or the register of links was declared otherwise when its rows were stored.
pub async fn around(live: &dyn Live, registers: &Registers, state: &LiveState, id: &str) -> Result<Identities, StoreError> {
    let is_read = super::state::State::read(&state.body).is_some_and(|state| state.data_days.contains_key(IDENTITY_LINKS));
    let Some(declared) = registers.registers.get(IDENTITY_LINKS).filter(|_| is_read) else { return Ok(Identities::default()) };
    let failed = |error: arrow::error::ArrowError| StoreError::Failed(error.to_string());
    let form = RowForm::new(declared).map_err(failed)?;
    let (mut known, mut open) = (BTreeSet::new(), BTreeSet::from([id.trim().to_ascii_uppercase()]));
    let mut links: Vec<IdentityLink> = Vec::new();
    while !open.is_empty() {
        let ids: Vec<&str> = open.iter().map(String::as_str).collect();
        let mut next = BTreeSet::new();
        for rows in live.rows_in(&[IDENTITY_LINKS], &ids).await? {
            let (there, _) = form.alive_in(&rows.body)?;
            let found = links_of(&form.batch(there.iter().map(|row| row.bytes)).map_err(failed)?);
            next.extend(found.iter().map(|link| link.new.clone()));
            links.extend(found);
        }
        next.extend(live.mentions(IDENTITY_LINKS, &ids).await?.into_iter().map(|mention| mention.owner));
        known.append(&mut open);
        open = next.into_iter().filter(|id| !known.contains(id)).collect();
    }
    Ok(Identities::new(links, state.as_of))
}
