-- The whole job in DuckDB: registers to grants and unknown verdicts, for the policies in force in 2026.
-- duckdb_job.py puts in the files (${population} …) and the day, runs the stages one after the other and times them.
-- Identifiers are 64-bit hashes inside (integer keys join and group faster than text of 18 characters); the text is kept
-- once per subject. Money is in fen, a whole number. NULL is "unknown" everywhere; SQL's three values are the policies'.

-- @stage macros
create or replace macro as_of() as date '${as_of}';
create or replace macro month0() as date_trunc('month', date '${as_of}')::date;
-- Months counted from year 0, to subtract them.
create or replace macro month_index(d) as year(d) * 12 + month(d);
create or replace macro this_month() as year(date '${as_of}') * 12 + month(date '${as_of}');
-- 20260630: differences of such numbers, divided by 10,000, are completed years (29 February counts from 1 March).
create or replace macro day_number(d) as year(d) * 10000 + month(d) * 100 + day(d);
create or replace macro age(birth, d) as case when birth <= d then (day_number(d) - day_number(birth)) // 10000 end;
create or replace macro add_years(d, n) as (d + to_years(n::integer))::date;
-- Blanks (also ideographic) off, full width to half width, capitals.
create or replace macro tidy(id) as
    upper(translate(trim(id, ' ' || chr(12288)), '０１２３４５６７８９Ｘｘ', '0123456789XX'));
-- The check character of 17 digits (GB 11643): weights 7 9 10 5 8 4 2 1 6 3 7 9 10 5 8 4 2, modulo 11.
create or replace macro check_character(n) as substr('10X98765432', (
    (n // 10000000000000000) % 10 * 7 + (n // 1000000000000000) % 10 * 9 + (n // 100000000000000) % 10 * 10
    + (n // 10000000000000) % 10 * 5 + (n // 1000000000000) % 10 * 8 + (n // 100000000000) % 10 * 4
    + (n // 10000000000) % 10 * 2 + (n // 1000000000) % 10 + (n // 100000000) % 10 * 6 + (n // 10000000) % 10 * 3
    + (n // 1000000) % 10 * 7 + (n // 100000) % 10 * 9 + (n // 10000) % 10 * 10 + (n // 1000) % 10 * 5
    + (n // 100) % 10 * 8 + (n // 10) % 10 * 4 + n % 10 * 2) % 11 + 1, 1);
-- 15 digits of before 1999 become 18 characters.
create or replace macro upgraded(id) as case when length(id) = 15
    then substr(id, 1, 6) || '19' || substr(id, 7) || check_character((substr(id, 1, 6) || '19' || substr(id, 7))::bigint)
    else id end;
-- GB 32100: both check characters, the last and the one of the organisation code inside.
create or replace macro entity_value(id, n) as instr('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(id, n, 1)) - 1;
create or replace macro body_value(id, n) as instr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', substr(id, n, 1)) - 1;
create or replace macro is_entity_id(id) as coalesce(regexp_full_match(id, '[0-9A-HJ-NP-RTUWXY]{2}[0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}')
    and (31 - (entity_value(id, 1) + entity_value(id, 2) * 3 + entity_value(id, 3) * 9 + entity_value(id, 4) * 27
        + entity_value(id, 5) * 19 + entity_value(id, 6) * 26 + entity_value(id, 7) * 16 + entity_value(id, 8) * 17
        + entity_value(id, 9) * 20 + entity_value(id, 10) * 29 + entity_value(id, 11) * 25 + entity_value(id, 12) * 13
        + entity_value(id, 13) * 8 + entity_value(id, 14) * 24 + entity_value(id, 15) * 10 + entity_value(id, 16) * 30
        + entity_value(id, 17) * 28) % 31) % 31 = entity_value(id, 18)
    and substr('0X987654321', (body_value(id, 9) * 3 + body_value(id, 10) * 7 + body_value(id, 11) * 9 + body_value(id, 12) * 10
        + body_value(id, 13) * 5 + body_value(id, 14) * 8 + body_value(id, 15) * 4 + body_value(id, 16) * 2) % 11 + 1, 1)
        = substr(id, 17, 1), false);
-- A county's number from a region's code (990110 went on as 990109 in 2025; neither has a parameter of its own).
create or replace macro county(region) as try_cast(substr(region, 1, 6) as integer);
create or replace macro in_city(c) as c // 100 = 9901;
-- Parameters as of 2026, in fen, by county; unknown where the region is.
create or replace macro subsistence_line(c) as case when c is null then null when c = 990101 then 124000
    when c = 990102 then 92000 when c = 990103 then 88000 else 102000 end;

-- @stage identity_links
-- Identifiers of before, followed to the end of their chain; splits, forks and circles stand for nobody.
create or replace temp table renumbered as
with recursive links as (
    select upper(trim(old_id)) as old, upper(trim(new_id)) as new, kind
    from ${identity_links} where on_date <= as_of()
), follow as (
    select distinct old, new from links where old <> new
), ambiguous as (
    select old from links where kind = 'split' union select old from follow group by old having count(*) > 1
), chain(old, now, hops) as (
    select old, new, 1 from follow where old not in (from ambiguous)
    union all
    select chain.old, follow.new, hops + 1 from chain join follow on follow.old = chain.now
    where chain.now not in (from ambiguous) and hops < 64
)
select hash(old) as old, hash(now) as new, now as new_id, old as old_id
from chain where now not in (select old from follow);

-- @stage social_insurance
-- RS: months paid by kind. A row of a kind that is not in the list is set aside, and the person's sums become unknown.
create or replace temp table insurance as
select id, bool_or(kind is null) as doubt,
    (sum(months_600) filter (kind = 4))::integer as unemployment_total, (sum(months_12) filter (kind = 4))::integer as unemployment_12,
    (sum(months_12) filter (kind = 1))::integer as pension_12, (sum(months_12) filter (kind = 5))::integer as injury_12,
    (sum(months_600) filter (kind = 2))::integer as resident_months,
    max((base * 100)::bigint) filter (kind = 1 and by_oneself and still) as flexible_base, bool_or(kind = 3 and still) as medical
from (
    select coalesce(new, id) as id, kind, by_oneself, still, base,
        greatest(0, after - greatest(begun, this_month() - 599))::smallint as months_600,
        greatest(0, after - greatest(begun, this_month() - 11))::smallint as months_12
    from (
        select hash(person_id) as id, entity_id is null as by_oneself, base, to_month is null or to_month >= month0() as still,
            case kind when 'pension' then 1 when 'resident_pension' then 2 when 'medical' then 3 when 'unemployment' then 4
                when 'injury' then 5 end::utinyint as kind,
            month_index(from_month) as begun, least(coalesce(month_index(to_month), this_month()), this_month()) + 1 as after
        from ${social_insurance} where from_month <= as_of()
    ) left join renumbered on id = old
) group by id;

-- @stage registers
create or replace temp table death as
select coalesce(new, id) as id, max(death_date) as death_date
from (select hash(person_id) as id, death_date from ${death} where death_date <= as_of() and recorded_on <= date '${data_day}')
left join renumbered on id = old group by 1;

-- One row a child; mother and father where all rows name the same.
create or replace temp table birth as
select coalesce(r.new, id) as id, min(birth_date) as first_date, max(birth_date) as last_date,
    max(epoch_ms(birth_date) * 2 + lawful::integer) % 2 = 1 as lawful,
    case when min(mother) = max(mother) then min(mother) end as mother_id,
    case when min(father) = max(father) then min(father) end as father_id
from (
    select hash(person_id) as id, birth_date, lawful, coalesce(m.new_id, mother_id) as mother, coalesce(f.new_id, father_id) as father
    from ${birth} b left join renumbered m on hash(mother_id) = m.old left join renumbered f on hash(father_id) = f.old
    where birth_date <= as_of() and recorded_on <= date '${data_day}'
) left join renumbered r on id = r.old group by 1;

create or replace temp table income as
select coalesce(new, id) as id, new is not null as came_under_old,
    (monthly_income * 100)::bigint as income, (financial_assets * 100)::bigint as assets
from (select hash(person_id) as id, monthly_income, financial_assets from ${income_assessment}) left join renumbered on id = old;

create or replace temp table family_planning as
select coalesce(new, id) as id, new is not null as came_under_old,
    children_born, children_alive, girls_alive, violation, only_child_status
from (select hash(person_id) as id, * from ${family_planning}) left join renumbered on id = old;

-- Floor area left out: the row is set aside.
create or replace temp table housing as
select coalesce(new, id) as id, bool_or(area is null) as doubt, count(*) filter (area is not null and still)::integer as homes
from (
    select hash(case when length(person_id) = 18 then person_id else tidy(person_id) end) as id, area,
        to_date is null or to_date >= as_of() as still
    from ${housing} where from_date <= as_of() or area is null
) left join renumbered on id = old group by 1;

-- A value that is no number: the row is set aside. Of rows with one plate the first counts.
create or replace temp table vehicles as
with cars as (
    select hash(person_id) as id, hash(plate_no) as plate, file_row_number as row, try_cast(value as decimal(18, 2)) is null as bad,
        to_date is null or to_date >= as_of() as still, from_date <= as_of() as begun
    from ${vehicles_with_rows}
), repeated as (
    select plate, min(row) as first_row from cars where not bad group by plate having count(*) > 1
)
select coalesce(new, id) as id, bool_or(bad) as doubt, count(*) filter (not bad and still and begun)::integer as vehicles
from cars left join repeated using (plate) left join renumbered on id = old
where bad or first_row is null or row = first_row group by 1;

create or replace temp table assistance as
select coalesce(new, id) as id, bool_or(kind = 'subsistence') as subsistence, bool_or(kind = 'near_subsistence') as near,
    bool_or(kind = 'destitute') as destitute, bool_or(kind = 'orphan') as orphan
from (select hash(person_id) as id, kind from ${social_assistance} where from_date <= as_of() and (to_date is null or to_date >= as_of()))
left join renumbered on id = old group by 1;

-- The latest valid card; of two cards of one day the higher value of each column. Kinds are numbered in the order of their
-- codes: hearing intellectual mental multiple physical speech visual.
create or replace temp table disability as
with cards as (
    select hash(person_id) as id, hash(card_no) as card, file_row_number as row, datediff('day', date '1900-01-01', issued_on) as day,
        grade, needs_care, list_position(['hearing', 'intellectual', 'mental', 'multiple', 'physical', 'speech', 'visual'], kind) as kind,
        issued_on <= as_of() and (expires_on is null or expires_on >= as_of()) as valid
    from ${disability_cards_with_rows}
), repeated as (
    select card, min(row) as first_row from cards group by card having count(*) > 1
)
select coalesce(new, id) as id, max(day * 8 + grade) % 8 as grade, max(day * 8 + kind) % 8 as kind,
    nullif(max(day * 4 + case when needs_care is null then 3 else needs_care::integer end) % 4, 3) = 1 as needs_care
from cards left join repeated using (card) left join renumbered on id = old
where valid and (first_row is null or row = first_row) group by 1;

-- Stages are numbered in the order of their codes: bachelor 1 college 2 doctor 3 junior 4 kindergarten 5 master 6 primary 7
-- senior 8 vocational 9.
create or replace temp table education as
with rows as (
    select case when length(person_id) = 18 then upper(person_id) else tidy(person_id) end as person_id, stage, full_time,
        from_date, to_date, graduated_on, file_row_number as row
    from ${education_enrolment_with_rows}
), keyed as (
    select hash(person_id) as id, hash(person_id, stage, from_date) as key, row, full_time, from_date,
        list_position(['bachelor', 'college', 'doctor', 'junior', 'kindergarten', 'master', 'primary', 'senior', 'vocational'], stage) as stage,
        to_date is null or to_date >= as_of() as still, case when graduated_on <= as_of() then graduated_on end as graduated_on
    from rows
), repeated as (
    select key, min(row) as first_row from keyed group by key having count(*) > 1
)
select coalesce(new, id) as id, bool_or(full_time) filter (still) as full_time,
    max(datediff('day', date '1900-01-01', from_date) * 16 + stage) filter (still) % 16 as stage,
    max(graduated_on) filter (stage in (1, 2, 3, 6)) as graduated_on
from keyed left join repeated using (key) left join renumbered on id = old
where from_date <= as_of() and (first_row is null or row = first_row) group by 1;

create or replace temp table contracts as
select coalesce(new, id) as id, entity, start_date, coalesce(end_date, date '9999-12-31') as end_date
from (select hash(person_id) as id, hash(entity_id) as entity, start_date, end_date from ${employment_contracts} where start_date <= as_of())
left join renumbered on id = old;

-- Only whose present contract began within the last twelve months: both hires that policies ask for did.
create or replace temp table employment as
select id, min(start_date) as first_start, max(start_date) filter (end_date >= as_of()) as contract_start,
    arg_max(end_date, (start_date, end_date)) filter (end_date >= as_of()) as contract_end
from contracts group by id having contract_start >= month0() - to_months(11);

create or replace temp table pension as
select coalesce(new, id) as id, bool_or(kind = 'employee') as employee, bool_or(kind = 'resident') as resident, bool_or(kind = 'other') as other
from (
    select hash(case when length(person_id) = 18 then person_id else upgraded(tidy(person_id)) end) as id, kind
    from ${pension_benefits} where from_month <= as_of() and (to_month is null or to_month >= month0())
) left join renumbered on id = old group by 1;

-- Levels: junior 1, intermediate 2, senior 3, technician 4, senior technician 5, none 0. A level or a day that cannot be
-- read: the row is set aside.
create or replace temp table certificate_rows as
select coalesce(new, id) as id, certificate_no, kind = 'skill' as skill, scarce, issued,
    case level when 'junior' then 1 when 'intermediate' then 2 when 'senior' then 3 when 'technician' then 4
        when 'senior_technician' then 5 when 'none' then 0 end as level
from (select hash(person_id) as id, certificate_no, kind, level, scarce, try_cast(issued_on as date) as issued from ${certificates})
left join renumbered on id = old
where kind = 'skill' or issued is null or level is null or level not in ('junior', 'intermediate', 'senior', 'technician', 'senior_technician', 'none');

create or replace temp table certificates as
select id, bool_or(issued is null or level is null) as doubt,
    count(*) filter (skill and level between 1 and 3 and issued <= as_of() and as_of() <= (issued + to_months(12))::date)::integer as recent
from certificate_rows group by id;

create or replace temp table recognised as
select coalesce(new, id) as id, bool_or(kind is null) as doubt,
    bool_or(kind = 1 and still) as veteran, bool_or(kind = 2 and still) as sole_child_parent,
    bool_or(kind = 3 and still) as hardship_graduate, bool_or(kind = 4 and still) as rental_tenant,
    bool_or(kind = 5 and still) as heating, bool_or(kind = 6 and still) as hard_to_employ,
    min(from_date) filter (kind = 6) as hard_since
from (
    select hash(person_id) as id, from_date, to_date is null or to_date >= as_of() as still,
        list_position(['veteran', 'sole_child_parent', 'hardship_graduate', 'public_rental_tenant', 'heating_household', 'hard_to_employ'], list) as kind
    from ${recognised_persons} where from_date <= as_of() or kind is null
) left join renumbered on id = old group by 1;

-- Reasons are numbered in the order of their codes: bankrupt 1 contract_ended 2 dismissed 3 never_employed 4 resigned 5.
create or replace temp table unemployment as
select coalesce(new, id) as id, bool_or(still) as registered, bool_or(seeking) filter (still) as seeking,
    max(datediff('day', date '1900-01-01', registered_on) * 8
        + list_position(['bankrupt', 'contract_ended', 'dismissed', 'never_employed', 'resigned'], reason)) filter (still) % 8 as reason,
    max(registered_on) filter (still) as since, max(registered_on) as last_from,
    arg_max(to_date, (registered_on, to_date)) as last_to
from (
    select hash(person_id) as id, registered_on, coalesce(to_date, date '9999-12-31') as to_date, reason, seeking,
        to_date is null or to_date >= as_of() as still
    from ${unemployment_registration} where registered_on <= as_of()
) left join renumbered on id = old group by 1;

create or replace temp table marriage as
select coalesce(p.new, id) as id, bool_or(still) as married,
    case when min(spouse) filter (still) = max(spouse) filter (still) then min(spouse) filter (still) end as spouse
from (
    select hash(person_id) as id, coalesce(s.new, hash(spouse_id)) as spouse, to_date is null or to_date >= as_of() as still
    from ${marriage} left join renumbered s on hash(spouse_id) = s.old where from_date <= as_of()
) left join renumbered p on id = p.old group by 1;

create or replace temp table dishonest as
select distinct coalesce(new, id) as id
from (select hash(person_id) as id from ${credit_persons}
    where list = 'dishonest_debtor' and from_date <= as_of() and (to_date is null or to_date >= as_of()))
left join renumbered on id = old;

-- @stage membership
-- Of rows with the same household, person and day the first counts. Only heads keep their text, for payees.
create or replace temp table membership as
with rows as (
    select hash(person_id) as id, hash(household_id) as household, hash(household_id, person_id, from_date) as key, file_row_number as row,
        household_id, case when relation = 'head' then person_id end as head_id,
        list_position(['child', 'head', 'other', 'parent', 'spouse'], relation) as relation,
        living_together, from_date, to_date is null or to_date >= as_of() as still
    from ${household_membership_with_rows} where from_date <= as_of()
), repeated as (
    select key, min(row) as first_row from rows group by key having count(*) > 1
)
select coalesce(new, id) as id, household, household_id, coalesce(new_id, head_id) as head_id, relation, living_together, from_date, still
from rows left join repeated using (key) left join renumbered on id = old
where first_row is null or row = first_row;

create or replace temp table membership_of as
select id, max(datediff('day', date '1900-01-01', from_date) * 8 + relation) filter (still) % 8 as relation,
    bool_or(living_together and still) as lives_with,
    case when min(household) filter (still) = max(household) filter (still) then min(household) filter (still) end as household
from membership group by id;

-- @stage persons
-- The dossier of each person, as far as policies and links need it, with the verdicts that need no link.
-- No row that counts in a complete register is "no" (`none`), or 0 (`zero`), for those within its coverage (990000), else unknown.
create or replace temp table population as
select coalesce(new, id) as id, new is not null as came_under_old, coalesce(new_id, person_id) as person_id, sex, birth_date, nationality,
    county(hukou_region) as hukou, hukou_kind, county(residence_region) as residence
from (select *, hash(person_id) as id, try_cast(substr(person_id, 1, 17) as bigint) as digits from ${population})
left join renumbered on id = old
where length(person_id) = 18 and check_character(digits) = substr(person_id, 18);

-- @stage dossiers
create or replace temp table person as
with facts as (
    select p.id, p.hukou, p.residence, p.hukou_kind, p.nationality, p.sex,
        case when p.birth_date <> b.first_date or b.first_date <> b.last_date then null else p.birth_date end as birth_date,
        case when coalesce(p.hukou, p.residence) // 10000 = 99 then false end as none,
        case when coalesce(p.hukou, p.residence) // 10000 = 99 then 0 end as zero,
        d.id is not null or none as deceased, d.death_date,
        b.lawful, hash(b.mother_id) as mother, hash(b.father_id) as father,
        m.relation, m.lives_with, m.household,
        not coalesce(i.doubt, false) as insurance_sure,
        case when insurance_sure then coalesce(i.unemployment_total, zero) end as unemployment_total,
        case when insurance_sure then coalesce(i.resident_months, zero) end as resident_months,
        case when insurance_sure then i.flexible_base is not null or none end as pays_flexible,
        case when insurance_sure then i.flexible_base end as flexible_base,
        case when insurance_sure then coalesce(i.medical, false) or none end as medical_insured,
        n.income, n.assets,
        case when h.doubt then null else coalesce(nullif(h.homes, 0), zero) end as homes,
        case when v.doubt then null else coalesce(nullif(v.vehicles, 0), zero) end as vehicles,
        coalesce(a.subsistence, false) or none as subsistence, coalesce(a.near, false) or none as near_subsistence,
        coalesce(a.destitute, false) or none as destitute, coalesce(a.orphan, false) or none as orphan,
        c.id is not null or none as card, c.grade, c.kind as disability, c.needs_care,
        coalesce(e.full_time, none) as full_time, e.stage,
        e.graduated_on is not null or none as graduate, e.graduated_on,
        coalesce(o.employee, false) or none as employee_pension, coalesce(o.resident, false) or none as resident_pension, coalesce(o.other, false) or none as other_pension,
        case when t.doubt then null else coalesce(nullif(t.recent, 0), zero) end as recent_certificates,
        case when g.doubt then null else coalesce(g.veteran, false) or none end as veteran,
        case when g.doubt then null else coalesce(g.sole_child_parent, false) or none end as sole_child_parent,
        case when g.doubt then null else coalesce(g.hardship_graduate, false) or none end as hardship_graduate,
        case when g.doubt then null else coalesce(g.rental_tenant, false) or none end as rental_tenant,
        case when g.doubt then null else coalesce(g.heating, false) or none end as heating,
        case when g.doubt then null else coalesce(g.hard_to_employ, false) or none end as hard_to_employ,
        case when g.doubt then null else g.hard_since end as hard_since,
        coalesce(u.registered, false) or none as unemployed, coalesce(u.seeking, none) as seeking, u.reason, u.since,
        s.married, s.spouse,
        f.children_born, f.children_alive, f.girls_alive, f.violation, f.only_child_status,
        x.id is not null or none as dishonest
    from population p
    left join death d on d.id = p.id
    left join birth b on b.id = p.id
    left join membership_of m on m.id = p.id
    left join insurance i on i.id = p.id
    left join income n on n.id = p.id
    left join housing h on h.id = p.id
    left join vehicles v on v.id = p.id
    left join assistance a on a.id = p.id
    left join disability c on c.id = p.id
    left join education e on e.id = p.id
    left join pension o on o.id = p.id
    left join certificates t on t.id = p.id
    left join recognised g on g.id = p.id
    left join unemployment u on u.id = p.id
    left join marriage s on s.id = p.id
    left join family_planning f on f.id = p.id
    left join dishonest x on x.id = p.id
), computed as (
    select *, age(birth_date, as_of()) as age, in_city(hukou) as hukou_city, in_city(residence) as residence_city, not deceased as alive,
        card and grade <= 2 as severe,
        -- 高龄津贴: age at the end of the month, or of the month of death.
        case when deceased is null then null when deceased then age(birth_date, last_day(death_date)) else age(birth_date, last_day(as_of())) end as age_month
    from facts
)
-- `if(not …, false, …)`: one condition that is a no for most settles a verdict; only the others are looked at further.
select id, hukou, residence, household, mother, father, spouse, hukou_kind = 'rural' as rural, deceased, age, stage, married, children_alive, birth_date,
    alive and (lives_with or relation = 5 or (relation = 1
        and (age < 18 or (full_time and stage in (5, 7, 4, 8, 9, 2, 1))))) as counted,
    income, assets, homes, vehicles, heating, rental_tenant, subsistence, near_subsistence, destitute,
    alive and age between 16 and 59 and not severe and not destitute as able_to_support,
    dishonest,
    -- 000000-RS-0002
    if(not recent_certificates >= 1, false, (residence is not null or null) and unemployment_total >= case when residence is not null then 12 end
        and recent_certificates >= 1 and alive) as skills,
    -- 000000-RS-0003
    if(not age >= 60, false, (hukou is not null or null) and age >= 60 and resident_months >= 180 and not employee_pension and not other_pension
        and not resident_pension and alive) as pension,
    -- 000000-WJ-0001
    if(not birth_date >= date '2022-01-01', false, (hukou is not null or null) and nationality = 'CHN' and lawful and alive
        and ((birth_date between date '2022-01-01' and date '2024-12-31' and year(as_of()) <= year(birth_date) + 3)
            or (birth_date >= date '2025-01-01' and year(as_of()) <= year(birth_date) + 2))) as childcare,
    -- 990100-JY-0001
    if(not full_time, false, residence_city and full_time and (not full_time or stage in (7, 4, 8, 9, 2, 1))
        and (subsistence or destitute or orphan or severe) and alive) as student,
    -- 990100-MZ-0003, without spouse and parents
    if(not income < subsistence_line(hukou), false, hukou_city and (age >= 60 or age < 16 or (card and ((disability in (2, 3) and grade <= 3)
            or (disability = 5 and grade <= 2) or (disability = 7 and grade = 1))))
        and income < subsistence_line(hukou) and assets <= case when hukou is not null then 3000000 end and (age < 16 or children_alive = 0) and alive) as destitute_own,
    -- 990100-MZ-0004, without parents
    hukou_city and (age(birth_date, month0()) < 18 or full_time) and alive as orphan_own,
    -- 990100-MZ-0007
    if(not age_month >= 80, false, hukou_city and age_month >= 80 and (not deceased or date_trunc('month', death_date) >= month0() - to_months(1))) as old_age,
    case when not age_month >= 80 then null when hukou = 990101 then case when age_month >= 100 then 100000 else 5000 end
        when hukou = 990102 then case when age_month >= 100 then 50000 when age_month >= 90 then 12000 else 6000 end
        else case when age_month >= 100 then 50000 when age_month >= 90 then 20000 else 10000 end end as old_age_amount,
    -- 990100-MZ-0011
    if(not card, false, hukou_city and card and subsistence and not destitute and not orphan and alive) as disability_living,
    -- 990100-MZ-0012
    if(not card, false, hukou_city and card and grade in (1, 2) and (needs_care or hukou = 990104) and not destitute and alive) as disability_care,
    -- 990100-RS-0001
    if(not pays_flexible, false, residence_city and pays_flexible and alive and (
        (hard_to_employ and (as_of() < add_years(hard_since, 3)
            or (add_years(hard_since, 5) > add_years(birth_date, case when residence is not null then if(sex = 'male', 60, 50) end)
                and age < case when residence is not null then if(sex = 'male', 60, 50) end)))
        or (graduate and as_of() <= add_years(graduated_on, 2)))) as flexible,
    flexible_base,
    -- 990100-RS-0002
    residence_city and hardship_graduate and alive and not dishonest as job_seeking,
    -- 990100-RS-0003
    if(not unemployed, false, residence_city and unemployment_total >= 12 and (not unemployed or reason in (1, 2, 3)) and unemployed and seeking and alive
        and (not unemployed or this_month() - month_index(since) + 1 <= case when unemployment_total is null then null
            when unemployment_total >= 120 then 24 when unemployment_total >= 60 then 18 else 12 end)) as unemployment,
    -- 990100-TY-0001
    hukou_city and veteran and alive as veteran,
    -- 990100-WJ-0001, without the spouse
    if(not age >= 60, false, hukou_city and hukou_kind = 'rural' and not violation
        and (children_alive = 1 or (children_alive = 2 and girls_alive = 2) or (children_born >= 1 and children_alive = 0))
        and birth_date >= date '1933-01-01' and age >= 60 and alive) as family_own,
    girls_alive,
    -- 990100-WJ-0002
    if(not age >= 49, false, hukou_city and sex = 'female' and age >= 49 and only_child_status in ('deceased', 'disabled') and alive) as special_support,
    only_child_status = 'deceased' as only_child_died,
    -- 990100-WJ-0003
    hukou_city and sole_child_parent and alive as sole_child,
    -- 990100-YB-0001, but for those judged destitute in this run
    hukou_city and medical_insured and alive as medical_own
from computed;

-- @stage persons_linked
create or replace temp table destitute as
select p.id, p.destitute_own
        and (not p.married or not s.able_to_support)
        and (p.age >= 18 or (not m.able_to_support and not f.able_to_support)) as verdict
from person p
left join person s on s.id = p.spouse
left join person m on m.id = p.mother
left join person f on f.id = p.father
where p.destitute_own is not false;

create or replace temp table orphan as
select p.id, p.orphan_own and m.deceased and f.deceased as verdict
from person p
left join person m on m.id = p.mother
left join person f on f.id = p.father
where p.orphan_own is not false;

-- Hires of the last twelve months: whom a job-expansion grant (since November 2025) or the graduates' insurance subsidy is for.
create or replace temp table hire as
with facts as (
    select p.id, p.birth_date, contract_start, contract_end, first_start, e.graduated_on, last_from, last_to,
        case when coalesce(p.hukou, p.residence) // 10000 = 99 then false end as none,
        case when coalesce(p.hukou, p.residence) // 10000 = 99 then 0 end as zero,
        e.graduated_on is not null or none as graduate, u.id is not null or none as was_unemployed,
        least(coalesce(i.unemployment_12, zero), coalesce(i.pension_12, zero), coalesce(i.injury_12, zero)) as shortest,
        case when i.doubt or (zero is null and (i.unemployment_12 is null or i.pension_12 is null or i.injury_12 is null))
            then null else shortest end as insured_12,
        this_month() - month_index(contract_start) as months
    from employment w join person p on p.id = w.id
        left join insurance i on i.id = w.id left join education e on e.id = w.id left join unemployment u on u.id = w.id
)
select id,
    contract_start >= date '2025-11-01' and case when insured_12 is not null then least(insured_12, months + 1) >= 3 end
        and ((graduate and year(contract_start) - year(graduated_on) between 0 and 2
                and (year(contract_start) = year(graduated_on) or contract_start = first_start))
            or (was_unemployed and last_from <= contract_start and last_to >= contract_start - 1
                and age(birth_date, contract_start) between 16 and 24)) as expansion,
    graduate and contract_start <= add_years(graduated_on, 2) and months <= 11 and insured_12 >= 1
        and (contract_end >= date '9999-01-01' or add_years(contract_start, 1) - 1 <= contract_end) as graduate
from facts;

create or replace temp table person_verdicts as
select id, '000000-RS-0002' as policy, skills as verdict, null::bigint as amount from person where skills is not false
union all select id, '000000-RS-0003', pension, case when in_city(hukou) then 20500 else 14300 end from person where pension is not false
union all select id, '000000-WJ-0001', childcare,
    case when year(as_of()) < year(birth_date) + 3 then 360000 else month(birth_date) * 30000 end from person where childcare is not false
union all select id, '990100-JY-0001', student, case when stage in (7, 4) then 75000 when stage in (8, 9) then 230000 else 370000 end
    from person where student is not false
union all select d.id, '990100-MZ-0003', verdict, case hukou when 990101 then 161200 when 990102 then 119600 when 990103 then 114400 else 132600 end
    from destitute d join person using (id) where verdict is not false
union all select o.id, '990100-MZ-0004', verdict, case hukou when 990101 then 185000 else 160000 end
    from orphan o join person using (id) where verdict is not false
union all select id, '990100-MZ-0007', old_age, old_age_amount from person where old_age is not false
union all select id, '990100-MZ-0011', disability_living, case hukou when 990101 then 10000 else 8000 end from person where disability_living is not false
union all select id, '990100-MZ-0012', disability_care, case hukou when 990104 then 11000 else 8000 end from person where disability_care is not false
union all select id, '990100-RS-0001', flexible, (4 * flexible_base + 15) // 30 from person where flexible is not false
union all select id, '990100-RS-0002', job_seeking, 150000 from person where job_seeking is not false
union all select id, '990100-RS-0003', unemployment, 171000 from person where unemployment is not false
union all select id, '990100-TY-0001', veteran, 120000 from person where veteran is not false
union all select p.id, '990100-WJ-0001', p.family_own and (not p.married or s.rural) as final,
    case when p.hukou = 990102 and p.children_alive = 0 then 156000
        when p.hukou = 990102 and p.children_alive = 1 and p.girls_alive = 1 then 120000 else 96000 end
    from person p left join person s on s.id = p.spouse where p.family_own is not false and final is not false
union all select id, '990100-WJ-0002', special_support, if(only_child_died, 540000, 420000) from person where special_support is not false
union all select id, '990100-WJ-0003', sole_child, 24000 from person where sole_child is not false
union all select p.id, '990100-YB-0001',
    p.medical_own and (p.destitute or case when d.id is null then false else d.verdict end or p.subsistence or p.near_subsistence) as final,
    case when p.destitute is null then null when p.destitute then 40000 when p.subsistence then 28000 when p.near_subsistence then 20000 else 40000 end
    from person p left join destitute d on d.id = p.id where p.medical_own is not false and final is not false;

-- @stage households
create or replace temp table household as
with members as (
    select m.household, any_value(household_id) as household_id,
        case when min(m.id) filter (relation = 2) = max(m.id) filter (relation = 2) then min(head_id) end as head_id,
        case when min(m.id) filter (relation = 2) = max(m.id) filter (relation = 2) then min(hukou) filter (relation = 2) end as hukou,
        bool_or(counted is null) as doubt, count(*) filter (counted) as counted_members,
        case when bool_or(counted is null or (counted and income is null)) then null else sum(income) filter (counted) end as income,
        case when bool_or(counted is null or (counted and assets is null)) then null else sum(assets) filter (counted) end as assets,
        case when bool_or(counted is null or (counted and homes is null)) then null else sum(homes) filter (counted) end as homes,
        case when bool_or(counted is null or (counted and vehicles is null)) then null else sum(vehicles) filter (counted) end as vehicles,
        case when bool_or(heating is null) then null else bool_or(heating) end as heating,
        case when bool_or(rental_tenant is null) then null else bool_or(rental_tenant) end as rental,
        case when bool_or(subsistence is null) then null else bool_or(subsistence) end as subsistence
    from membership m left join person p on p.id = m.id
    where still group by m.household
), sizes as (
    -- Nobody counted: the sums are unknown, and quotients by zero with them.
    select *, case when not doubt then counted_members end as size, nullif(size, 0) as divisor, subsistence_line(hukou) as line from members
)
select household as id, household_id, head_id, size, income, line, rental, heating, subsistence, divisor,
    -- 990100-MZ-0001
    in_city(hukou) and size >= 1 and income < line * divisor and assets <= case when line is not null then 2400000 * divisor end and homes <= case when line is not null then 1 end and vehicles = 0 as allowance,
    -- 990100-MZ-0002
    in_city(hukou) and size >= 1 and 2 * income < 3 * line * divisor and assets <= case when line is not null then 3600000 * divisor end as near,
    in_city(hukou) as in_city
from sizes;

create or replace temp table household_verdicts as
select id, '990100-MZ-0001' as policy, allowance as verdict, (2 * (line * divisor - income) + divisor) // (2 * divisor) as amount
    from household where allowance is not false
union all select id, '990100-MZ-0002', near, null from household where near is not false
union all select id, '990100-ZJ-0001', in_city and heating and (allowance or near or subsistence) as verdict, 60000
    from household where verdict is not false
-- requires 990100-MZ-0001
union all select id, '990100-ZJ-0002', in_city and rental and allowance as verdict, 15000 from household where verdict is not false;

-- @stage entities
create or replace temp table entity as
with rows as (
    select entity_id, hash(entity_id) as id, file_row_number as row, kind, size, restricted_trade, county(registered_region) as region,
        coalesce(deregistered_on <= as_of(), false) as deregistered, coalesce(new, hash(legal_representative_id)) as representative
    from ${legal_entity_with_rows} left join renumbered on hash(legal_representative_id) = old where is_entity_id(entity_id)
), firsts as (
    select id, min(row) as first_row from rows group by id having count(*) > 1
), tax as (
    select hash(entity_id) as id, bool_or(vat_payer = 'small_scale') as small_scale,
        case when bool_or(taxable_profit is null) then null else max((taxable_profit * 100)::bigint) end as profit,
        case when bool_or(assets_average is null) then null else max((assets_average * 100)::bigint) end as assets,
        case when bool_or(staff_average is null) then null else max(staff_average) end as staff
    from ${entity_tax} where year = year(as_of()) - 1 group by 1
), staff as (
    select hash(entity_id) as id, max(insured_start) as insured_start, max(insured_end) as insured_end,
        max((unemployment_premium * 100)::bigint) as premium, max(unemployment_months) as months
    from ${entity_staff} where year = year(as_of()) - 1 group by 1
), credit as (
    select hash(entity_id) as id, bool_or(list = 'dishonest_debtor') as dishonest, bool_or(list = 'serious_violation') as serious
    from ${credit_entities} where from_date <= as_of() and (to_date is null or to_date >= as_of()) group by 1
), recognised_entity as (
    select hash(entity_id) as id, bool_or(list not in ('high_tech', 'specialised_new', 'science_sme', 'employment_base')) as doubt,
        coalesce(bool_or(list = 'high_tech' and still), false) as high_tech,
        coalesce(bool_or(list = 'specialised_new' and still), false) as specialised_new,
        max(recognised_on) filter (list = 'high_tech' and still) as high_tech_since
    from (select *, to_date is null or to_date >= as_of() as still from ${recognised_entities}
        where recognised_on <= as_of() or list not in ('high_tech', 'specialised_new', 'science_sme', 'employment_base')) group by 1
), employees as (
    select entity as id, case when bool_or(expansion is null) then null else bool_or(expansion) end as expansion,
        case when bool_or(graduate is null) then null else bool_or(graduate) end as graduates
    from (
        select entity, case when p.id is null then null when h.id is null then false else h.expansion end as expansion,
            case when p.id is null then null when h.id is null then false else h.graduate end as graduate
        from contracts c left join person p on p.id = c.id left join hire h on h.id = c.id where c.end_date >= as_of()
    ) group by entity
), facts as (
    select e.id, e.entity_id, e.kind, e.size, e.restricted_trade, e.region, not e.deregistered as registered,
        small_scale, profit, t.assets, t.staff, insured_start, insured_end, premium, months,
        coalesce(c.dishonest, false) as dishonest, coalesce(c.serious, false) as serious,
        case when r.doubt then null else coalesce(r.high_tech, false) end as high_tech,
        case when r.doubt then null else r.high_tech_since end as high_tech_since,
        case when r.doubt then null else coalesce(r.specialised_new, false) end as specialised_new,
        case when j.id is null then false else j.expansion end as expansion, case when j.id is null then false else j.graduates end as graduates,
        p.dishonest as representative_dishonest
    from rows e left join firsts f on f.id = e.id left join tax t on t.id = e.id left join staff s on s.id = e.id
        left join credit c on c.id = e.id left join recognised_entity r on r.id = e.id left join employees j on j.id = e.id
        left join person p on p.id = e.representative
    where f.first_row is null or e.row = f.first_row
)
select id, entity_id, high_tech_since,
    -- 000000-SW-0001
    registered and (small_scale or kind = 'individual_business' or (kind = 'enterprise' and not restricted_trade
        and profit <= 300000000 and staff <= 300 and assets <= 5000000000)) as six_taxes,
    -- 990000-RS-0011
    region // 10000 = 99 and registered and months >= 12
        and (1000 * greatest(0, insured_start - insured_end) <= 55 * nullif(insured_start, 0)
            or (insured_end <= 30 and 10 * greatest(0, insured_start - insured_end) <= 2 * nullif(insured_start, 0)))
        and (kind in ('social_organisation', 'law_firm', 'accounting_firm', 'individual_business')
            or (kind = 'enterprise' and size in ('large', 'medium', 'small', 'micro')))
        and not dishonest and not serious and not representative_dishonest as refund,
    (2 * premium * case when kind = 'enterprise' and size = 'large' then if(in_city(region), 5, 3) else if(in_city(region), 9, 6) end + 10) // 20
        as refund_amount,
    -- 990000-RS-0012
    region // 10000 = 99 and registered and expansion and not serious as expansion_grant,
    -- 990100-GX-0001
    in_city(region) and specialised_new and size in ('medium', 'small', 'micro') and registered
        and not (dishonest or serious or representative_dishonest) as award,
    if(region = 990101, 15000000, 10000000) as award_amount,
    -- 990100-KJ-0001
    in_city(region) and high_tech and (not high_tech or as_of() < add_years(high_tech_since, 3)) and registered
        and not dishonest and not serious as high_tech_award,
    -- 990100-RS-0011
    in_city(region) and registered and kind = 'enterprise' and size in ('small', 'micro') and graduates as graduate_subsidy
from facts;

create or replace temp table entity_verdicts as
select id, '000000-SW-0001' as policy, six_taxes as verdict, 0 as amount, null::varchar as occasion from entity where six_taxes is not false
union all select id, '990000-RS-0011', refund, refund_amount, null from entity where refund is not false
union all select id, '990000-RS-0012', expansion_grant, 100000, null from entity where expansion_grant is not false
union all select id, '990100-GX-0001', award, award_amount, null from entity where award is not false
union all select id, '990100-KJ-0001', high_tech_award, 20000000, high_tech_since::varchar from entity where high_tech_award is not false
union all select id, '990100-RS-0011', graduate_subsidy, 90000, null from entity where graduate_subsidy is not false;

-- @stage resolution
-- One row a grant (subject, policy, occasion, member), or an unknown verdict.
create or replace temp table policies as
select * from (values
    ('000000-RS-0002', 'confirm', 'once'), ('000000-RS-0003', 'confirm', 'month'), ('000000-WJ-0001', 'confirm', 'year'),
    ('990100-JY-0001', 'automatic', 'year'), ('990100-MZ-0003', 'review', 'month'), ('990100-MZ-0004', 'review', 'month'),
    ('990100-MZ-0007', 'automatic', 'month'), ('990100-MZ-0011', 'confirm', 'month'), ('990100-MZ-0012', 'automatic', 'month'),
    ('990100-RS-0001', 'confirm', 'month'), ('990100-RS-0002', 'confirm', 'once'), ('990100-RS-0003', 'confirm', 'month'),
    ('990100-TY-0001', 'automatic', 'year'), ('990100-WJ-0001', 'automatic', 'year'), ('990100-WJ-0002', 'confirm', 'year'),
    ('990100-WJ-0003', 'automatic', 'year'), ('990100-YB-0001', 'automatic', 'year'),
    ('990100-MZ-0001', 'review', 'month'), ('990100-MZ-0002', 'commit', 'year'), ('990100-ZJ-0001', 'confirm', 'year'),
    ('990100-ZJ-0002', 'automatic', 'month'),
    ('000000-SW-0001', 'automatic', 'year'), ('990000-RS-0011', 'automatic', 'year'), ('990000-RS-0012', 'automatic', 'once'),
    ('990100-GX-0001', 'confirm', 'once'), ('990100-KJ-0001', 'automatic', 'once'), ('990100-RS-0011', 'confirm', 'month')
) as t(policy, mode, span);

-- Who excludes whom: 990100-MZ-0004 wins over -0003 and -0011, 990100-MZ-0001 over -0002, and of 990100-MZ-0007 and -0011 the
-- higher amount stays, the lower code when equal. A policy that is itself given up excludes nothing. Against an unknown: review.
create or replace temp table excluding as
with verdicts as (
    select id, policy, verdict, amount from person_verdicts where policy in ('990100-MZ-0003', '990100-MZ-0004', '990100-MZ-0007', '990100-MZ-0011')
    union all select id, policy, verdict, amount from household_verdicts where policy in ('990100-MZ-0001', '990100-MZ-0002')
), pairs as (
    select mine.id, mine.policy, mine.amount, other.policy as against, other.verdict as theirs, other.amount as their_amount
    from verdicts mine join verdicts other on mine.id = other.id and (mine.policy, other.policy) in (
        ('990100-MZ-0003', '990100-MZ-0004'), ('990100-MZ-0004', '990100-MZ-0003'), ('990100-MZ-0011', '990100-MZ-0004'),
        ('990100-MZ-0004', '990100-MZ-0011'), ('990100-MZ-0007', '990100-MZ-0011'), ('990100-MZ-0011', '990100-MZ-0007'),
        ('990100-MZ-0001', '990100-MZ-0002'), ('990100-MZ-0002', '990100-MZ-0001'))
    where mine.verdict
), orphans as (
    select id from person_verdicts where policy = '990100-MZ-0004' and verdict
)
select pairs.id, policy, bool_or(theirs is null) as review,
    coalesce(bool_or(theirs and case policy
        when '990100-MZ-0003' then true
        when '990100-MZ-0002' then true
        when '990100-MZ-0011' then against = '990100-MZ-0004' or their_amount >= amount
        when '990100-MZ-0007' then their_amount > amount and orphans.id is null
        else false end), false) as excluded
from pairs left join orphans on orphans.id = pairs.id
group by all;

create or replace temp table rows as
select 'person' as subject_kind, v.id, policy, amount, null::varchar as occasion, null::varchar as member
from person_verdicts v where verdict and policy <> '000000-RS-0002'
-- 000000-RS-0002: a grant a certificate, at most three, by number. Of common trades only the newest within all counts.
union all (
    with mine as (
        select c.* from certificate_rows c join person p on p.id = c.id and p.skills where skill and issued <= as_of()
    ), about as (
        select id, max(level) as highest, arg_max(certificate_no, (issued, certificate_no)) filter (level between 1 and 3 and not coalesce(scarce, false)) as newest
        from mine group by id
    )
    select 'person', mine.id, '000000-RS-0002', 50000 + 50000 * level, certificate_no, null
    from mine join about using (id)
    where as_of() <= (issued + to_months(12))::date and (coalesce(scarce, false) or certificate_no = newest) and level between 1 and 3 and highest <= level
    qualify row_number() over (partition by mine.id order by certificate_no) <= 3
)
union all select 'household', v.id, policy, amount, null, null from household_verdicts v where verdict and policy <> '990100-MZ-0001'
-- 990100-MZ-0001: a grant a member who counts.
union all select distinct 'household', v.id, policy, v.amount, null, n.person_id
    from household_verdicts v join membership m on m.household = v.id and m.still join person p on p.id = m.id and p.counted
        join population n on n.id = m.id
    where verdict and policy = '990100-MZ-0001'
union all select 'entity', id, policy, amount, occasion, null from entity_verdicts where verdict and policy not in ('990000-RS-0012', '990100-RS-0011')
-- 990000-RS-0012 (at most 50) and 990100-RS-0011: a grant a hire.
union all (
    select distinct 'entity', v.id, policy, v.amount, p.person_id, null
    from entity_verdicts v join contracts c on c.entity = v.id and c.end_date >= as_of() join population p on p.id = c.id
        join hire h on h.id = c.id and h.expansion
    where verdict and policy = '990000-RS-0012'
    qualify dense_rank() over (partition by v.id order by p.person_id) <= 50
)
union all select distinct 'entity', v.id, policy, v.amount, p.person_id, null
    from entity_verdicts v join contracts c on c.entity = v.id and c.end_date >= as_of() join population p on p.id = c.id
        join hire h on h.id = c.id and h.graduate
    where verdict and policy = '990100-RS-0011';

create or replace temp table paid as
select subject_kind, coalesce(new, id) as id, policy, coalesce(period, '') as period, nullif(occasion, '') as occasion,
    (amount * 100)::bigint as amount, paid_on
from (select *, hash(subject_id) as id from ${grants_paid} where paid_on <= as_of()) left join renumbered on id = old;

create or replace temp table refusals as
select subject_kind, coalesce(new, id) as id, kind, policy
from (select *, hash(subject_id) as id from ${refusals} where on_date <= as_of()) left join renumbered on id = old;

-- Refusals, caps, what is paid already.
create or replace temp table owed as
with named as (
    select r.*, mode, case span when 'month' then strftime(as_of(), '%Y-%m') when 'year' then strftime(as_of(), '%Y') else '' end as period,
        coalesce(x.review, false) as review, coalesce(x.excluded, false) as excluded
    from rows r join policies using (policy) left join excluding x on x.id = r.id and x.policy = r.policy
), word as (
    select subject_kind, id, coalesce(policy, '') as policy, bool_or(kind = 'refused_benefit') as refused,
        bool_or(kind = 'objected_automation') as objected, bool_or(kind = 'push_opt_out') as opted_out
    from refusals group by all
), given as (
    select distinct subject_kind, id, policy, period, occasion from paid
), heard as (
    select n.* exclude (review), coalesce(one.refused, false) or coalesce(every.refused, false) as refused,
        review or coalesce(one.objected, false) or coalesce(every.objected, false) as review,
        not (coalesce(one.opted_out, false) or coalesce(every.opted_out, false)) as notify
    from named n
    left join word every on every.subject_kind = n.subject_kind and every.id = n.id and every.policy = ''
    left join word one on one.subject_kind = n.subject_kind and one.id = n.id and one.policy = n.policy
    where not excluded
), stands as (
    select h.*, g.id is not null and not refused as given
    from heard h left join given g on g.subject_kind = h.subject_kind and g.id = h.id and g.policy = h.policy and g.period = h.period
        and g.occasion is not distinct from h.occasion
), caps as (
    -- What is left for each subject: 000000-RS-0002 6,000 a year, 990000-RS-0011 500,000, 990100-RS-0011 18,000 a period.
    select subject_kind, id, policy, sum(amount) as paid from paid
    where (policy = '000000-RS-0002' and if(period = '', strftime(paid_on, '%Y'), period) like strftime(as_of(), '%Y') || '%')
        or (policy = '990000-RS-0011' and period = strftime(as_of(), '%Y'))
        or (policy = '990100-RS-0011' and period = strftime(as_of(), '%Y-%m'))
    group by all
), filled as (
    select s.* exclude (amount), s.amount as full_amount, case s.policy when '000000-RS-0002' then 600000 when '990000-RS-0011' then 50000000
            when '990100-RS-0011' then 1800000 end - coalesce(c.paid, 0) as room,
        sum(s.amount) over (partition by s.subject_kind, s.id, s.policy order by occasion rows between unbounded preceding and current row) as up_to
    from stands s left join caps c on c.subject_kind = s.subject_kind and c.id = s.id and c.policy = s.policy
    where not given and not refused and s.policy in ('000000-RS-0002', '990000-RS-0011', '990100-RS-0011')
)
select subject_kind, id, policy, period, occasion, member, mode, review, notify, refused, amount from stands
where not given and (refused or policy not in ('000000-RS-0002', '990000-RS-0011', '990100-RS-0011'))
union all
select subject_kind, id, policy, period, occasion, member, mode, review, notify, refused,
    greatest(0, least(full_amount, room - (up_to - full_amount))) as amount
from filled where room - (up_to - full_amount) > 0 or full_amount = 0;

-- 990100-ZJ-0001: 3,000 a year, the poorest first, until one does not fit.
create or replace temp table waitlisted as
with claims as (
    select o.id, o.amount, household_id, floor(h.income * 100 / h.divisor)::hugeint as rank
    from owed o join household h on h.id = o.id where policy = '990100-ZJ-0001' and not refused
), queue as (
    select id, sum(amount) over (order by rank nulls last, household_id rows unbounded preceding) as up_to from claims
)
select id from queue where up_to > 300000 - (select coalesce(sum(amount), 0) from paid
    where policy = '990100-ZJ-0001' and coalesce(nullif(substr(period, 1, 4), ''), strftime(paid_on, '%Y')) = strftime(as_of(), '%Y'));

-- 990100-KJ-0001: 1,000,000 a year, the same share for all, single fen to the largest fractions.
create or replace temp table shared as
with budget as (
    select greatest(0, 100000000 - coalesce(sum(amount), 0))::hugeint as budget from paid
    where policy = '990100-KJ-0001' and coalesce(nullif(substr(period, 1, 4), ''), strftime(paid_on, '%Y')) = strftime(as_of(), '%Y')
), claims as (
    select o.id, o.occasion, entity_id, amount::hugeint as amount, sum(amount::hugeint) over () as owed, budget
    from owed o join entity using (id), budget where policy = '990100-KJ-0001' and not refused
), parts as (
    select *, amount * budget // owed as part, row_number() over (order by amount * budget % owed desc, entity_id, occasion) as place from claims
)
select id, occasion, (case when owed <= budget then amount else part + if(place <= budget - sum(part) over (), 1, 0) end)::bigint as amount from parts;

-- @stage write
create or replace temp table guardians as
select p.id, coalesce(b.mother_id, b.father_id, h.head_id) as payee
from person p left join birth b on b.id = p.id left join household h on h.id = p.household
where p.id in (select id from owed where policy in ('000000-WJ-0001', '990100-JY-0001', '990100-MZ-0004'));

copy (
    select subject_kind, subject_id, payee_id, policy, 1::bigint as version, (amount::decimal(18, 0) * 0.01)::decimal(18, 2) as amount, 'CNY' as unit, period,
        occasion, member, if(review or payee_id is null, 'review', mode) as mode, notify,
        case when refused then 'refused' when waiting then 'waitlisted' else 'granted' end as status, as_of() as as_of
    from (
        select o.subject_kind, p.person_id as subject_id,
            if(o.policy in ('000000-WJ-0001', '990100-JY-0001', '990100-MZ-0004'), g.payee, p.person_id) as payee_id,
            o.policy, o.amount, period, occasion, member, mode, review, notify, refused, false as waiting
        from owed o join population p on p.id = o.id left join guardians g on g.id = o.id where subject_kind = 'person'
        union all
        select o.subject_kind, h.household_id, h.head_id, o.policy, o.amount, period, occasion, member, mode, review, notify, refused,
            o.policy = '990100-ZJ-0001' and not refused and o.id in (from waitlisted)
        from owed o join household h on h.id = o.id where subject_kind = 'household'
        union all
        select o.subject_kind, e.entity_id, e.entity_id, o.policy, if(o.policy = '990100-KJ-0001' and not refused,
                case when s.amount = 0 and o.amount <> 0 then o.amount else s.amount end, o.amount),
            period, o.occasion, member, mode, review, notify, refused,
            o.policy = '990100-KJ-0001' and not refused and s.amount = 0 and o.amount <> 0
        from owed o join entity e on e.id = o.id left join shared s on s.id = o.id and s.occasion is not distinct from o.occasion and o.policy = '990100-KJ-0001'
        where subject_kind = 'entity'
    )
) to '${out}/grants.parquet' (format parquet, compression zstd);

copy (
    select 'person' as subject_kind, person_id as subject_id, policy from person_verdicts v join population p on p.id = v.id where verdict is null
    union all select 'household', household_id, policy from household_verdicts v join household h on h.id = v.id where verdict is null
    union all select 'entity', entity_id, policy from entity_verdicts v join entity e on e.id = v.id where verdict is null
) to '${out}/unknowns.parquet' (format parquet, compression zstd);
