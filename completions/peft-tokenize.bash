# bash completion for peft-tokenize: made by `peft-tokenize --completion=bash'
_peft_tokenize() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	case $prev in
	--supervise) COMPREPLY=($(compgen -W 'last all completion text' -- "$cur")); return ;;
	--task) COMPREPLY=($(compgen -W 'causal-lm seq-cls token-cls' -- "$cur")); return ;;
	--over) COMPREPLY=($(compgen -W 'refuse drop cut' -- "$cur")); return ;;
	--completion) COMPREPLY=($(compgen -W 'bash zsh' -- "$cur")); return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W ' -m --model= --supervise= --task= --per-turn --max-length= --over= --show= --lint --fix --test= --near= --json --decode --render --set= --chat --columns= --control --mix --split= --by= --rest= --skip-bad= --partial -o --output= -f --force -j --threads= -q --quiet -v --verbose --completion= -h --help -V --version' -- "$cur"))
		[[ ${COMPREPLY-} == *= ]] && compopt -o nospace
	else
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -F _peft_tokenize peft-tokenize
