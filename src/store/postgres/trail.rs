//! The access trail in two tables: records that stay, contents that can be erased.

use deadpool_postgres::Object;
use tokio_postgres::{GenericClient, Row, Transaction};

use super::{failed, held};
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::trail::{Content, Erasure, Head, Record, Salted, Selection, Seq, erasing, link, salted};

const RECORDS: &str = "SELECT r.seq, r.at, r.digest, r.hash, c.salt, c.text FROM mianshen.trail_record r";

/// One writer at a time: the next record follows the last one that was committed.
async fn begin(connection: &mut Object) -> Result<deadpool_postgres::Transaction<'_>, StoreError> {
    let transaction = connection.transaction().await.map_err(failed)?;
    transaction.batch_execute("LOCK TABLE mianshen.trail_record IN SHARE ROW EXCLUSIVE MODE").await.map_err(failed)?;
    Ok(transaction)
}

pub(super) async fn append(connection: &mut Object, at: i64, contents: &[Content]) -> Result<Seq, StoreError> {
    let salted = salted(contents)?;
    let transaction = begin(connection).await?;
    let first = insert(&transaction, at, contents, salted).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(first)
}

async fn insert(transaction: &Transaction<'_>, at: i64, contents: &[Content], salted: Vec<Salted>) -> Result<Seq, StoreError> {
    let before = head(transaction).await?;
    let records = link(before, at, salted);
    let seqs: Vec<i64> = records.iter().map(|record| record.seq.cast_signed()).collect();
    let times: Vec<i64> = records.iter().map(|record| record.at).collect();
    let digests: Vec<&[u8]> = records.iter().map(|record| record.digest.as_slice()).collect();
    let hashes: Vec<&[u8]> = records.iter().map(|record| record.hash.as_slice()).collect();
    let sql = "INSERT INTO mianshen.trail_record (seq, at, digest, hash)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])";
    transaction.execute(sql, &[&seqs, &times, &digests, &hashes]).await.map_err(failed)?;
    let subject = |content: &Content| content.subject.clone().map(|subject| (subject.kind, held(&subject.id).into_owned())).unzip();
    let (kinds, ids): (Vec<Option<String>>, Vec<Option<String>>) = contents.iter().map(subject).unzip();
    let stays: Vec<bool> = contents.iter().map(Content::stays).collect();
    let salts: Vec<&[u8]> = records.iter().filter_map(|record| Some(record.content.as_ref()?.salt.as_slice())).collect();
    let texts: Vec<&[u8]> = records.iter().filter_map(|record| Some(record.content.as_ref()?.text.as_slice())).collect();
    let sql = "INSERT INTO mianshen.trail_content (seq, kind, subject, stays, salt, text)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::bytea[], $6::bytea[])";
    transaction.execute(sql, &[&seqs, &kinds, &ids, &stays, &salts, &texts]).await.map_err(failed)?;
    Ok(records.first().map_or_else(|| before.map_or(1, |head| head.seq + 1), |record| record.seq))
}

pub(super) async fn head<C: GenericClient>(client: &C) -> Result<Option<Head>, StoreError> {
    let sql = "SELECT seq, at, hash FROM mianshen.trail_record ORDER BY seq DESC LIMIT 1";
    let row = client.query_opt(sql, &[]).await.map_err(failed)?;
    Ok(row.map(|row| Head { seq: row.get::<_, i64>(0).cast_unsigned(), at: row.get(1), hash: sized(row.get(2)) }))
}

pub(super) async fn records(connection: &Object, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError> {
    let sql = format!("{RECORDS} LEFT JOIN mianshen.trail_content c USING (seq) WHERE r.seq >= $1 ORDER BY r.seq LIMIT $2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = connection.query(&sql, &[&from.cast_signed(), &limit]).await.map_err(failed)?;
    Ok(rows.iter().map(record).collect())
}

pub(super) async fn about(
    connection: &Object,
    kind: SubjectKind,
    id: &str,
    before: Option<Seq>,
    limit: usize,
) -> Result<Vec<Record>, StoreError> {
    let sql = format!(
        "{RECORDS} JOIN mianshen.trail_content c USING (seq) WHERE c.subject = $1 AND c.kind = $2 AND c.seq < $3
         ORDER BY c.seq DESC LIMIT $4"
    );
    let (before, limit) = (before.map_or(i64::MAX, u64::cast_signed), i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = connection.query(&sql, &[&held(id), &kind.name(), &before, &limit]).await.map_err(failed)?;
    Ok(rows.iter().map(record).collect())
}

pub(super) async fn erase(connection: &mut Object, at: i64, erasure: &Erasure) -> Result<u64, StoreError> {
    let transaction = begin(connection).await?;
    let rows = match &erasure.selection {
        Selection::About(subject) => {
            let sql = "DELETE FROM mianshen.trail_content WHERE subject = $1 AND kind = $2 AND NOT stays RETURNING seq";
            transaction.query(sql, &[&held(&subject.id), &subject.kind]).await
        }
        Selection::Before(before) => {
            let sql = "DELETE FROM mianshen.trail_content c USING mianshen.trail_record r
                WHERE r.seq = c.seq AND r.at < $1 AND NOT c.stays RETURNING c.seq";
            transaction.query(sql, &[before]).await
        }
        Selection::Entries(seqs) => {
            let seqs: Vec<i64> = seqs.iter().map(|seq| seq.cast_signed()).collect();
            let sql = "DELETE FROM mianshen.trail_content WHERE seq = ANY ($1) AND NOT stays RETURNING seq";
            transaction.query(sql, &[&seqs]).await
        }
    }
    .map_err(failed)?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut seqs: Vec<Seq> = rows.iter().map(|row| row.get::<_, i64>(0).cast_unsigned()).collect();
    seqs.sort_unstable();
    let said = erasing(erasure, &seqs);
    let words = salted(std::slice::from_ref(&said))?;
    insert(&transaction, at, &[said], words).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(seqs.len() as u64)
}

/// Bytes of a fixed length; zeros where somebody made them another length: they do not verify.
pub(super) fn sized<const N: usize>(bytes: Option<&[u8]>) -> [u8; N] {
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

fn record(row: &Row) -> Record {
    let (salt, text): (Option<&[u8]>, Option<&[u8]>) = (row.get(4), row.get(5));
    Record {
        seq: row.get::<_, i64>(0).cast_unsigned(),
        at: row.get(1),
        digest: sized(row.get(2)),
        hash: sized(row.get(3)),
        content: text.map(|text| Salted { salt: sized(salt), text: text.to_vec() }),
    }
}
