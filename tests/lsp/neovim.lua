-- `mianshen lsp` driven by Neovim itself, on a copy of the policies: a fault is typed, told at its place, explained, mended, cleared.
--
--   cp -r policies data-samples COPY/ && cd COPY
--   MIANSHEN=…/mianshen nvim --headless --clean -c 'luafile …/tests/lsp/neovim.lua'
--
-- Prints "ok" and ends with 0, or the fault and ends with 1. Tried with Neovim 0.7.2 (Debian 12).

local function main()
  vim.opt.swapfile = false
  local root = vim.fn.getcwd()
  local function until_true(what, test)
    assert(vim.wait(60000, test, 50), 'nothing came of: ' .. what)
  end

  local id = vim.lsp.start_client({
    name = 'mianshen',
    cmd = { vim.env.MIANSHEN or 'mianshen', 'lsp', '--lang', 'zh' },
    root_dir = root,
    workspace_folders = { { uri = vim.uri_from_fname(root), name = 'root' } },
  })
  vim.cmd('edit policies/990100/old-age-allowance/policy.yaml')
  vim.lsp.buf_attach_client(0, id)
  until_true('initialize', function() return vim.lsp.buf_get_clients(0)[id] ~= nil end)
  local function ask(method, params)
    local answers = assert(vim.lsp.buf_request_sync(0, method, params, 60000), method)
    assert(not answers[id].error, vim.inspect(answers[id]))
    return answers[id].result
  end

  local at
  for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    if line:find('when: not deceased', 1, true) then at = number - 1 end
  end
  local begin = #'      when: '
  vim.api.nvim_buf_set_text(0, at, begin, at, begin + #'not deceased', { "性别 = '女' or not deceasd" })
  until_true('a diagnostic', function() return #vim.diagnostic.get(0) > 0 end)
  local told = vim.diagnostic.get(0)
  assert(#told == 1 and told[1].code == 'unknown-fact', vim.inspect(told))
  local line = vim.api.nvim_buf_get_lines(0, at, at + 1, false)[1]
  assert(line:sub(told[1].col + 1, told[1].end_col) == 'deceasd', 'the place of the fault: ' .. vim.inspect(told[1]))

  vim.api.nvim_win_set_cursor(0, { at + 1, begin })
  local hover = ask('textDocument/hover', vim.lsp.util.make_position_params())
  assert(hover.contents.value:find('**性别**', 1, true), vim.inspect(hover))
  assert(#ask('textDocument/completion', vim.lsp.util.make_position_params()) > 100, 'facts are offered')

  vim.api.nvim_win_set_cursor(0, { at + 1, told[1].col })
  local params = vim.lsp.util.make_range_params()
  params.context = { diagnostics = {}, only = { 'quickfix' } }
  local action = ask('textDocument/codeAction', params)[1]
  assert(action.title == '“deceasd”改为“deceased”', vim.inspect(action))
  vim.lsp.util.apply_workspace_edit(action.edit, 'utf-16')
  until_true('the fault goes', function() return #vim.diagnostic.get(0) == 0 end)
  line = vim.api.nvim_buf_get_lines(0, at, at + 1, false)[1]
  assert(line:find("性别 = '女' or not deceased", 1, true), line)

  vim.lsp.stop_client(id)
  until_true('the server ends', function() return vim.lsp.client_is_stopped(id) end)
end

local fine, fault = pcall(main)
print((fine and 'ok' or tostring(fault)) .. '\n')
vim.cmd(fine and 'qa!' or 'cq!')
