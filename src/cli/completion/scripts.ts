// Completion scripts, which call `waggle __complete`. Its output is one candidate per line, `WORD<tab>HELP`;
// the line `:files` adds file names, and `:nospace` suppresses the space after the word.

export type Shell = "bash" | "zsh" | "fish";

export const shells: readonly Shell[] = ["bash", "zsh", "fish"];

const bash = `# waggle completion for bash: eval "$(waggle completion bash)"
_waggle() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" line word
  local IFS=$'\\n'
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$cur")); continue ;;
      :nospace) compopt -o nospace 2>/dev/null; continue ;;
    esac
    word="\${line%%$'\\t'*}"
    [[ "$cur" == "=" || "$word" == "$cur"* ]] && COMPREPLY+=("$word")
  done < <("\${COMP_WORDS[0]}" __complete --shell bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _waggle waggle
`;

const zsh = `#compdef waggle
# waggle completion for zsh: eval "$(waggle completion zsh)", after compinit
_waggle() {
  local line word help nospace=() files=0
  local -a described
  while IFS= read -r line; do
    case "$line" in
      :files) files=1; continue ;;
      :nospace) nospace=(-S ''); continue ;;
    esac
    word="\${line%%$'\\t'*}"
    help="\${line#*$'\\t'}"
    described+=("\${word//:/\\\\:}:$help")
  done < <("\${words[1]}" __complete --shell zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#described} )) && _describe 'waggle' described "\${nospace[@]}"
  (( files )) && _files
}
compdef _waggle waggle
`;

const fish = `# waggle completion for fish: waggle completion fish | source
function __waggle_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l command $words[1]
    for line in ($command __complete --shell fish -- $words[2..-1] 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path (commandline -ct)
            case ':nospace'
            case '*'
                printf '%s\\n' $line
        end
    end
end
complete -c waggle -f -a '(__waggle_complete)'
`;

/** The completion script of a shell. */
export function completionScript(shell: Shell): string {
  return { bash, zsh, fish }[shell];
}
