# bash completion for peft-merge: made by `peft-merge --completion=bash'
_peft_merge() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	case $prev in
	--as-lora) COMPREPLY=($(compgen -W 'RANK auto exact' -- "$cur")); return ;;
	--completion) COMPREPLY=($(compgen -W 'bash zsh' -- "$cur")); return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W ' -m --model= -a --adapter= -t --type= --keep= --double-quant --as-lora= --rslora --tuned= --layout= --onto --any-base --force-lossy --verify --tokens= --shard= -o --output= -f --force -n --dry-run -j --threads= -q --quiet -v --verbose --log-json --completion= -h --help -V --version' -- "$cur"))
		[[ ${COMPREPLY-} == *= ]] && compopt -o nospace
	else
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -F _peft_merge peft-merge
