//! Whom a change touches, and what those rest on.
//!
//! ```text
//!  changed rows ─▶ who stands in them ─ ways backwards ─▶ subjects that read them ─ ways forwards ─▶ all whose rows are needed
//! ```
//!
//! Ways backwards go over the rows as they are now: a row that is gone or another now is itself among the changes, and who stood in
//! it is touched. A change of columns that nobody reads on a way touches nobody there. An identifier stands for all that identity links
//! tie it to, whatever day they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::paths::{Columns, Stop};
use super::rows::RowForms;
use super::view::{End, Held, Id, IdSet, Register, View};
use crate::check::catalogue::FactId;
use crate::dossier::intake::IDENTITY_LINKS;
use crate::register::declaration::{Link, Registers, SubjectKind};
use crate::store::StoreError;

/// Whose rows are needed, of which registers: of somebody whom others only rest on, those that are read there.
#[derive(Debug, Clone, Default)]
pub struct Needed {
    of: HashMap<Id, SetIdx>,
    sets: RegisterSets,
    /// Who is looked at beside those who are judged.
    pub beside: IdSet,
    /// By group of stops: whose facts there are carried, so that no rows are needed.
    pub carried: Vec<IdSet>,
    /// By group of stops: of whom all is read there that the facts rest on.
    pub read: Vec<IdSet>,
    /// By lead.
    pub led: Vec<OfLead>,
}

/// What is needed of a lead.
#[derive(Debug, Clone, Default)]
pub struct OfLead {
    /// From whom rows are kept.
    pub kept: IdSet,
    /// Pairs of which rows are read all the same.
    pub anew: Vec<(Id, Id)>,
    /// Of whom all is read that rows to keep are made of, but for what is kept.
    pub whole: IdSet,
}

/// A set of registers, by its place among those that there are.
type SetIdx = u32;

/// All registers.
const ALL: SetIdx = 0;

/// Sets of registers. Very many identifiers share few of them.
#[derive(Debug, Clone, Default)]
struct RegisterSets {
    /// Behind [`ALL`], each ascending.
    sets: Vec<Vec<Register>>,
    /// What two of them are together.
    joined: HashMap<(SetIdx, SetIdx), SetIdx>,
}

impl RegisterSets {
    /// None: all registers.
    fn get(&self, set: SetIdx) -> Option<&[Register]> {
        (set != ALL).then(|| &*self.sets[set as usize - 1])
    }

    fn place(&mut self, registers: Vec<Register>) -> SetIdx {
        let at = self.sets.iter().position(|known| *known == registers).unwrap_or_else(|| {
            self.sets.push(registers);
            self.sets.len() - 1
        });
        SetIdx::try_from(at + 1).expect("few sets")
    }

    fn join(&mut self, one: SetIdx, other: SetIdx) -> SetIdx {
        if one == other || one == ALL || other == ALL {
            return if one == other { one } else { ALL };
        }
        if let Some(joined) = self.joined.get(&(one, other)) {
            return *joined;
        }
        let both: BTreeSet<Register> = [one, other].into_iter().filter_map(|set| self.get(set)).flatten().copied().collect();
        let joined = self.place(both.into_iter().collect());
        self.joined.insert((one, other), joined);
        joined
    }
}

impl Needed {
    /// All rows of some.
    fn whole(&mut self, ids: &IdSet) {
        self.of.extend(ids.iter().map(|id| (*id, ALL)));
    }

    /// The rows of some in some registers.
    fn these(&mut self, ids: &IdSet, registers: &[Register]) {
        let registers: BTreeSet<Register> = registers.iter().copied().collect();
        let set = self.sets.place(registers.into_iter().collect());
        for id in ids {
            match self.of.entry(*id) {
                Entry::Occupied(mut known) => *known.get_mut() = self.sets.join(*known.get(), set),
                Entry::Vacant(new) => drop(new.insert(set)),
            }
        }
    }

    /// Whose, and of which registers; none: of all.
    pub fn all(&self) -> impl Iterator<Item = (Id, Option<&[Register]>)> {
        self.of.iter().map(|(id, set)| (*id, self.sets.get(*set)))
    }

    /// Whether the rows of somebody in a register are needed.
    #[must_use]
    pub fn has(&self, id: Id, register: Register) -> bool {
        self.of.get(&id).is_some_and(|set| self.sets.get(*set).is_none_or(|these| these.contains(&register)))
    }

    /// Reads those of some.
    async fn read(&self, view: &mut View, ids: &IdSet) -> Result<(), StoreError> {
        let mut by_set: BTreeMap<SetIdx, Vec<Id>> = BTreeMap::new();
        for id in ids {
            if let Some(set) = self.of.get(id) {
                by_set.entry(*set).or_default().push(*id);
            }
        }
        for (set, ids) in by_set {
            match self.sets.get(set) {
                Some(registers) => view.read_rows_in(registers, ids).await?,
                None => view.read_rows(ids).await?,
            }
        }
        Ok(())
    }
}

/// A row that was changed, as it was before or as it is now: who stands in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// The register.
    pub register: Register,
    /// Whom the row lies under.
    pub owner: Id,
    /// Other identifiers, by column.
    pub others: Vec<(usize, Id)>,
    /// What is another now.
    pub columns: Columns,
}

/// The ways, as a list: each stop behind those that it leads to.
#[derive(Debug)]
pub struct Ways {
    stops: Vec<FlatStop>,
    /// Stops at which the same facts are read, so that what is known of somebody at one of them is known at all.
    pub groups: Vec<StopGroup>,
    /// Links from whoever is judged to many others of whom facts are read, and whose rows can be kept.
    pub leads: Vec<Lead>,
    /// The register of changed identifiers.
    identity: Option<Register>,
}

/// Facts that are read at some stops.
#[derive(Debug)]
pub struct StopGroup {
    /// Of which kind.
    pub kind: SubjectKind,
    /// Which.
    pub facts: BTreeSet<FactId>,
    /// Whether whoever is judged has them all.
    pub of_judged: bool,
}

/// A link from whoever is judged to many others, under whom its rows lie.
#[derive(Debug)]
pub struct Lead {
    /// By index.
    pub link: usize,
    /// From which kind to which.
    pub kinds: (SubjectKind, SubjectKind),
    /// The facts of the others that are read.
    pub facts: BTreeSet<FactId>,
    /// What is read of its register, wherever it is walked.
    by: Columns,
}

#[derive(Debug)]
struct FlatStop {
    /// What is read of each register here, ascending.
    registers: Vec<(Register, Columns)>,
    links: Vec<FlatWay>,
    /// Whether whoever stands here is looked at beside those who are judged.
    beside: bool,
    /// Where facts may be carried.
    group: Option<usize>,
    facts: BTreeSet<FactId>,
}

/// From one stop to the next.
#[derive(Debug)]
struct FlatWay {
    link: usize,
    register: Register,
    /// The columns of the start and of the end; none: the identifier that rows lie under.
    from: Option<usize>,
    to: Option<usize>,
    /// What is read of the link's register.
    by: Columns,
    /// The place of the stop that it leads to.
    next: usize,
    lead: Option<usize>,
}

impl FlatStop {
    fn is_hit(&self, change: &Touched) -> bool {
        let at = self.registers.binary_search_by_key(&change.register, |(register, _)| *register);
        at.is_ok_and(|at| self.registers[at].1.meet(&change.columns))
    }
}

impl Ways {
    /// Of a tree of stops.
    #[must_use]
    pub fn new(root: &Stop, forms: &RowForms, registers: &Registers) -> Self {
        let identity = forms.find(IDENTITY_LINKS).map(|(at, _)| at);
        let mut ways = Self { stops: Vec::new(), groups: Vec::new(), leads: Vec::new(), identity };
        flatten(root, None, forms, &registers.links, &mut ways);
        for group in &mut ways.groups {
            group.of_judged = group.facts.is_subset(&root.facts);
        }
        ways.find_leads(&registers.links);
        ways
    }

    /// Of whoever is at a stop, the registers that are read.
    fn read_at(&self, place: usize) -> Vec<Register> {
        let stop = &self.stops[place];
        let links = stop.links.iter().map(|way| way.register);
        stop.registers.iter().map(|(register, _)| *register).chain(links).chain(self.identity).collect()
    }

    /// Which ways from the root are leads. Wherever else their links are walked, no more may be read of those whom they lead to.
    fn find_leads(&mut self, links: &[Link]) {
        let Some(root) = self.stops.last() else { return };
        let mut leads = Vec::new();
        for way in &root.links {
            let next = &self.stops[way.next];
            let same = || self.stops.iter().flat_map(|stop| &stop.links).filter(|other| other.link == way.link);
            let is_less = |other: &FlatWay| {
                let there = &self.stops[other.next];
                !there.beside && there.facts.is_subset(&next.facts)
            };
            let lies_there = way.from.is_some() && way.to.is_none();
            if links[way.link].many && lies_there && next.group.is_some() && same().all(is_less) {
                let mut by = Columns::default();
                same().for_each(|way| by.merge(&way.by));
                let declared = &links[way.link];
                leads.push(Lead { link: way.link, kinds: (declared.from, declared.to), facts: next.facts.clone(), by });
            }
        }
        for way in self.stops.iter_mut().flat_map(|stop| &mut stop.links) {
            way.lead = leads.iter().position(|lead| lead.link == way.link);
        }
        self.leads = leads;
    }

    /// The group of a stop at which subjects of a kind stand. Households are read whole: their members' rows list them. So is whoever
    /// is looked at beside others.
    fn group_of(&mut self, stop: &Stop, kind: SubjectKind) -> Option<usize> {
        if stop.facts.is_empty() || stop.beside || kind == SubjectKind::Household {
            return None;
        }
        let at = self.groups.iter().position(|group| group.kind == kind && group.facts == stop.facts);
        Some(at.unwrap_or_else(|| {
            self.groups.push(StopGroup { kind, facts: stop.facts.clone(), of_judged: false });
            self.groups.len() - 1
        }))
    }
}

fn flatten(stop: &Stop, kind: Option<SubjectKind>, forms: &RowForms, all_links: &[Link], ways: &mut Ways) -> usize {
    let mut links = Vec::new();
    for (link, next_stop) in &stop.links {
        let next = flatten(next_stop, Some(all_links[*link].to), forms, all_links, ways);
        let declared = &all_links[*link];
        let Some((register, form)) = forms.find(&declared.register) else { continue };
        let (Some(from), Some(to)) = (form.column(&declared.from_column), form.column(&declared.to_column)) else { continue };
        let [from, to] = [from, to].map(|column| (column != form.owner()).then_some(column));
        links.push(FlatWay { link: *link, register, from, to, by: next_stop.by.clone(), next, lead: None });
    }
    let registers = stop.registers.iter().filter_map(|(name, columns)| Some((forms.find(name)?.0, columns.clone())));
    let mut registers: Vec<(Register, Columns)> = registers.collect();
    registers.sort_unstable_by_key(|(register, _)| *register);
    let group = kind.and_then(|kind| ways.group_of(stop, kind));
    ways.stops.push(FlatStop { registers, links, beside: stop.beside, group, facts: stop.facts.clone() });
    ways.stops.len() - 1
}

/// Finds who is touched.
pub struct Reach<'a> {
    ways: &'a Ways,
    forms: &'a RowForms,
    view: &'a mut View,
    /// All identifiers that one is tied to, itself among them; none where it stands alone.
    tied: HashMap<Id, Option<Arc<IdSet>>>,
}

impl<'a> Reach<'a> {
    /// Over a view of the store as the changes leave it.
    pub fn new(ways: &'a Ways, forms: &'a RowForms, view: &'a mut View) -> Self {
        Self { ways, forms, view, tied: HashMap::new() }
    }

    /// Everybody whose dossier, verdicts or grants may be others after the changes.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn touched(&mut self, changes: &BTreeSet<Touched>) -> Result<IdSet, StoreError> {
        let renumbered = self.renumbered(changes).await?;
        self.view.leads.turn();
        self.view.carried.turn();
        let mut found: Vec<IdSet> = Vec::new();
        for stop in &self.ways.stops {
            let mut here = renumbered.clone();
            here.extend(changes.iter().filter(|change| stop.is_hit(change)).map(|change| change.owner));
            for way in &stop.links {
                let starts = changes.iter().filter(|change| change.register == way.register && way.by.meet(&change.columns));
                here.extend(starts.flat_map(|change| values_in(way.from, change.owner, change.others.iter().copied())));
                here.extend(self.across(way.register, way.to, way.from, &found[way.next]).await?);
                if let Some(at) = way.lead {
                    let lead = &self.ways.leads[at];
                    let rows = changes.iter().filter(|change| change.register == way.register && lead.by.meet(&change.columns));
                    let under = rows.map(|change| change.owner);
                    under.chain(found[way.next].iter().copied()).for_each(|id| self.view.leads.touch(at, id));
                }
            }
            let here = self.all_tied(here).await?;
            if let Some(group) = stop.group {
                here.iter().for_each(|id| self.view.carried.forget(group, *id));
            }
            found.push(here);
        }
        Ok(found.pop().unwrap_or_default())
    }

    /// Whoever an identity link ties or tied, and all in whose rows such an identifier stands.
    async fn renumbered(&mut self, changes: &BTreeSet<Touched>) -> Result<IdSet, StoreError> {
        let links = changes.iter().filter(|change| Some(change.register) == self.ways.identity);
        let ids: IdSet = links.flat_map(|change| change.others.iter().map(|(_, id)| *id).chain([change.owner])).collect();
        let mut ids = self.all_tied(ids).await?;
        let mut owners = IdSet::new();
        if !ids.is_empty() {
            for register in 0..self.forms.all().count() {
                self.view.read_mentions(register, ids.iter().copied()).await?;
                owners.extend(ids.iter().flat_map(|id| self.view.mentions(register, *id)));
            }
        }
        ids.extend(owners);
        Ok(ids)
    }

    /// All whose rows are needed to judge some subjects. `carries`: whether facts that are carried need no rows.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn needed(&mut self, subjects: &IdSet, carries: bool) -> Result<Needed, StoreError> {
        let mut at: Vec<IdSet> = vec![IdSet::new(); self.ways.stops.len()];
        if let Some(root) = at.last_mut() {
            root.clone_from(subjects);
        }
        let of_groups = || vec![IdSet::new(); self.ways.groups.len()];
        let led = vec![OfLead::default(); self.ways.leads.len()];
        let mut needed = Needed { carried: of_groups(), read: of_groups(), led, ..Needed::default() };
        let root = self.ways.stops.len() - 1;
        // Whose rows are all needed, first: these are read at once.
        let whole = self.all_tied(subjects.clone()).await?;
        needed.whole(&whole);
        needed.read(self.view, &whole).await?;
        for place in (0..=root).rev() {
            let mut here = self.all_tied(std::mem::take(&mut at[place])).await?;
            let stop = &self.ways.stops[place];
            if stop.beside {
                needed.beside.extend(&here);
            }
            if let Some(group) = stop.group {
                let is_known = |id: Id| carries && self.view.carried.has(group, id) && !self.view.is_linked(id) && !subjects.contains(&id);
                let carried: IdSet = here.extract_if(|id| is_known(*id)).collect();
                needed.carried[group].extend(carried);
                needed.read[group].extend(&here);
            }
            if place != root {
                needed.these(&here, &self.ways.read_at(place));
                needed.read(self.view, &here).await?;
            }
            for way in &stop.links {
                let mut others = None;
                if let Some(lead) = way.lead.filter(|_| carries) {
                    let is_kept = |id: Id| self.view.leads.has(lead, id) && !self.view.is_linked(id);
                    let (kept, walked): (IdSet, IdSet) = here.iter().copied().partition(|id| is_kept(*id));
                    let anew = self.anew(lead, way.register, &kept).await?;
                    let owners: IdSet = anew.iter().map(|(_, to)| *to).collect();
                    needed.these(&owners, &[way.register]);
                    self.view.read_rows_in(&[way.register], owners.iter().copied()).await?;
                    at[way.next].extend(&owners);
                    let led = &mut needed.led[lead];
                    led.kept.extend(&kept);
                    led.anew.extend(anew);
                    if place == root {
                        led.whole.extend(here.iter().filter(|id| !self.view.is_linked(**id)));
                    }
                    others = Some(walked);
                }
                let walked = others.as_ref().unwrap_or(&here);
                // The rows of the link may lie under others than those whom it ties.
                if way.from.is_some() {
                    self.view.read_mentions(way.register, walked.iter().copied()).await?;
                    let owners = self.mentioning(way.register, walked);
                    needed.these(&owners, &[way.register]);
                    if way.to.is_none() {
                        self.read_ahead(way, owners, carries).await?;
                    }
                }
                let there = self.across(way.register, way.from, way.to, walked).await?;
                at[way.next].extend(there);
            }
        }
        // Under which identifier others are known today stands in their links.
        let mut named = IdSet::new();
        for (id, registers) in needed.all() {
            let held = self.view.all_held(id).filter(|(register, _)| registers.is_none_or(|these| these.contains(register)));
            let ends = held.flat_map(|(_, held)| held.all_ends()).map(|end| end.id);
            named.extend(ends.filter(|id| self.view.is_linked(*id)));
        }
        self.tie(&named).await?;
        if let Some(identity) = self.ways.identity {
            for id in &named {
                if let Some(Some(tied)) = self.tied.get(id) {
                    needed.these(tied, &[identity]);
                    needed.read(self.view, tied).await?;
                }
            }
        }
        Ok(needed)
    }

    /// Reads of whom a way leads to, under whom its rows lie, what the next stop needs: the rows of one lie side by side.
    async fn read_ahead(&mut self, way: &FlatWay, mut ids: IdSet, carries: bool) -> Result<(), StoreError> {
        if let Some(group) = self.ways.stops[way.next].group.filter(|_| carries) {
            ids.retain(|id| !self.view.carried.has(group, *id));
        }
        let mut registers = self.ways.read_at(way.next);
        registers.push(way.register);
        self.view.read_rows_in(&registers, ids).await
    }

    /// From whom to whom rows of a lead are read though the others from there are kept. Whoever identity links tie is read each time; such a
    /// row may lead to any of those who are tied.
    async fn anew(&mut self, lead: usize, register: Register, kept: &IdSet) -> Result<Vec<(Id, Id)>, StoreError> {
        self.view.read_mentions(register, kept.iter().copied()).await?;
        let (mut pairs, mut linked) = (Vec::new(), Vec::new());
        for from in kept {
            let all = self.view.mentions(register, *from);
            pairs.extend(self.view.leads.anew(lead, *from, all).map(|to| (*from, to)));
            linked.extend(all.iter().filter(|to| self.view.is_linked(**to)).map(|to| (*from, *to)));
        }
        self.tie(&linked.iter().map(|(_, to)| *to).collect()).await?;
        for (from, to) in linked {
            let tied = self.tied.get(&to).and_then(Option::as_ref);
            pairs.extend(tied.into_iter().flat_map(|tied| tied.iter()).chain([&to]).map(|to| (from, *to)));
        }
        Ok(pairs)
    }

    /// Who stands in one column of the rows of a link in which somebody else stands in another; none: whom the row lies under.
    async fn across(&mut self, register: Register, from: Option<usize>, to: Option<usize>, ids: &IdSet) -> Result<IdSet, StoreError> {
        let mentioning;
        let owners = if from.is_some() {
            self.view.read_mentions(register, ids.iter().copied()).await?;
            mentioning = self.mentioning(register, ids);
            &mentioning
        } else {
            ids
        };
        self.view.read_rows_in(&[register], owners.iter().copied()).await?;
        let mut found = IdSet::new();
        for owner in owners {
            for ends in self.view.held(*owner, register).into_iter().flat_map(Held::ends) {
                let places = || ends.iter().map(End::place);
                if from.is_none() || values_in(from, *owner, places()).any(|id| ids.contains(&id)) {
                    found.extend(values_in(to, *owner, places()));
                }
            }
        }
        Ok(found)
    }

    fn mentioning(&self, register: Register, ids: &IdSet) -> IdSet {
        ids.iter().flat_map(|id| self.view.mentions(register, *id)).copied().collect()
    }

    /// Some identifiers with all that identity links tie them to.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn all_tied(&mut self, ids: IdSet) -> Result<IdSet, StoreError> {
        self.tie(&ids).await?;
        let tied: Vec<Arc<IdSet>> = ids.iter().filter_map(|id| self.tied.get(id)?.clone()).collect();
        let mut all = ids;
        all.extend(tied.iter().flat_map(|tied| tied.iter()));
        Ok(all)
    }

    /// Works out what each identifier is tied to.
    async fn tie(&mut self, ids: &IdSet) -> Result<(), StoreError> {
        let Some(identity) = self.ways.identity else { return Ok(()) };
        self.view.read_linked(identity).await?;
        let mut open: Vec<Id> = ids.iter().filter(|id| self.view.is_linked(**id) && !self.tied.contains_key(*id)).copied().collect();
        let first = open.clone();
        let mut links: HashMap<Id, IdSet> = HashMap::new();
        while !open.is_empty() {
            self.view.read_rows_in(&[identity], open.iter().copied()).await?;
            self.view.read_mentions(identity, open.iter().copied()).await?;
            let mut next = IdSet::new();
            for id in open {
                let ends = self.view.held(id, identity).map(Held::all_ends).unwrap_or_default();
                let others = ends.iter().map(|end| end.id).chain(self.view.mentions(identity, id).iter().copied());
                let others: IdSet = others.collect();
                if others.is_empty() {
                    self.tied.entry(id).or_insert(None);
                } else {
                    next.extend(others.iter().copied());
                    links.insert(id, others);
                }
            }
            open = next.into_iter().filter(|id| !links.contains_key(id) && !self.tied.contains_key(id)).collect();
        }
        for id in first.into_iter().filter(|id| links.contains_key(id)) {
            if self.tied.contains_key(&id) {
                continue;
            }
            let (mut all, mut open) = (IdSet::from_iter([id]), vec![id]);
            while let Some(at) = open.pop() {
                for other in links.get(&at).into_iter().flatten() {
                    if all.insert(*other) {
                        open.push(*other);
                    }
                }
            }
            let all = Arc::new(all);
            self.tied.extend(all.iter().map(|id| (*id, Some(Arc::clone(&all)))));
        }
        Ok(())
    }
}

/// The identifiers in a column of a row; none: whom it lies under.
fn values_in(column: Option<usize>, owner: Id, others: impl Iterator<Item = (usize, Id)>) -> impl Iterator<Item = Id> {
    let own = column.is_none().then_some(owner);
    own.into_iter().chain(others.filter(move |(at, _)| Some(*at) == column).map(|(_, id)| id))
}
